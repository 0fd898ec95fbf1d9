// SPDX-License-Identifier: MIT
// A peer: Go's net/http, GOMAXPROCS=1. `/` greets, `/json` greets in JSON, `/file` sends the file.
//
//	$ go_http PORT FILE
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
)

type greeting struct {
	Message string `json:"message"`
}

func main() {
	runtime.GOMAXPROCS(1)
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "Hello, World!")
	})
	http.HandleFunc("/json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		text, _ := json.Marshal(greeting{"Hello, World!"})
		w.Write(text)
	})
	http.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, os.Args[2]) })
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
