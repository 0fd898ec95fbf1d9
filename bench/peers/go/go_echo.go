// SPDX-License-Identifier: MIT
// A peer: Go's net, TCP echo, a goroutine a connection, GOMAXPROCS=1.
//
//	$ go_echo PORT [BYTES]        of each connection's buffer
package main

import (
	"log"
	"net"
	"os"
	"runtime"
	"strconv"
)

func serve(connection net.Conn, size int) {
	defer connection.Close()
	buffer := make([]byte, size)
	for {
		count, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err = connection.Write(buffer[:count]); err != nil {
			return
		}
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	size := 16384
	if len(os.Args) > 2 {
		size, _ = strconv.Atoi(os.Args[2])
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1]) // Go sets TCP_NODELAY by itself
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection, size)
	}
}
