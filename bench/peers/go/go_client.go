// SPDX-License-Identifier: MIT
// A peer: Go's net/http client, GOMAXPROCS=1; see bench/client_eddy.cpp for what it does and prints.
//
//	$ go_client PORT CONNECTIONS SECONDS
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func cpu() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func ask(client *http.Client, url string, end time.Time) int {
	count := 0
	for ; time.Now().Before(end); count++ {
		response, err := client.Get(url)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != 200 || string(body) != "Hello, World!" {
			log.Fatal("not the response that was asked for")
		}
	}
	return count
}

func all(client *http.Client, url string, connections int, seconds float64) int {
	end := time.Now().Add(time.Duration(seconds * 1e9))
	counts := make([]int, connections)
	var group sync.WaitGroup
	group.Add(connections)
	for i := range counts {
		go func(i int) {
			defer group.Done()
			counts[i] = ask(client, url, end)
		}(i)
	}
	group.Wait()
	sum := 0
	for _, count := range counts {
		sum += count
	}
	return sum
}

func main() {
	runtime.GOMAXPROCS(1)
	url := "http://127.0.0.1:" + os.Args[1] + "/"
	connections, _ := strconv.Atoi(os.Args[2])
	seconds, _ := strconv.ParseFloat(os.Args[3], 64)
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections}}
	all(client, url, connections, 0.3)
	began, before := time.Now(), cpu()
	count := all(client, url, connections, seconds)
	elapsed := time.Since(began).Seconds()
	fmt.Printf("{\"rate\": %.0f, \"total\": %d, \"cpu_us\": %.3f}\n", float64(count)/elapsed, count, (cpu()-before)/float64(count)*1e6)
}
