// SPDX-License-Identifier: MIT
// The items of micro_limit.cpp with goroutines, GOMAXPROCS=1 (2 where another thread posts); sizes as in
// micro.hpp. What Go 1.19 has no counterpart of prints nothing:
// generators, and an await, which is a call.
//
//	$ micro_go ITEM
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

func report(name string, value float64) { fmt.Printf("%s %.2f\n", name, value) }

func printSince(name string, began time.Time, operations int) {
	report(name, float64(time.Since(began).Nanoseconds())/float64(operations))
}

func expect(done bool) {
	if !done {
		panic("an item did not do the work that it was timed for")
	}
}

func residentBytes() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.ParseFloat(strings.Fields(string(text))[1], 64)
	return pages * 4096
}

func yields(name string, tasks int) {
	const all = 4_000_000
	var group sync.WaitGroup
	began := time.Now()
	group.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			for k := 0; k < all/tasks; k++ {
				runtime.Gosched()
			}
			group.Done()
		}()
	}
	group.Wait()
	printSince(name, began, all)
}

func batches(name string, batch, rounds int) {
	results, sum := make([]int, batch), 0
	began := time.Now()
	for round := 0; round < rounds; round++ {
		var group sync.WaitGroup
		group.Add(batch)
		for i := range results {
			go func(i int) {
				results[i] = i
				group.Done()
			}(i)
		}
		group.Wait()
		for _, result := range results {
			sum += result
		}
	}
	printSince(name, began, batch*rounds)
	expect(sum == rounds*(batch*(batch-1)/2))
}

func timers() {
	const count, rounds = 1_000_000, 3
	delays, all := make([]time.Duration, count), make([]*time.Timer, count)
	for i := range delays {
		delays[i] = time.Duration(rand.Int63n(10e9))
	}
	var began time.Time
	for round := 0; round < rounds; round++ {
		began = time.Now()
		for i, delay := range delays {
			all[i] = time.AfterFunc(delay, func() {})
		}
		for _, timer := range all {
			timer.Stop()
		}
	}
	printSince("timer_arm_cancel", began, count)
}

// A goroutine is cancelled through its context: nothing is thrown.
func sleepTasks() {
	const count = 100_000
	stops, cancelled := make([]context.CancelFunc, count), 0
	var started, group sync.WaitGroup
	started.Add(count)
	group.Add(count)
	arming := time.Now()
	for i := range stops {
		ctx, stop := context.WithCancel(context.Background())
		stops[i] = stop
		go func() {
			timer := time.NewTimer(time.Hour)
			defer timer.Stop()
			started.Done()
			select {
			case <-ctx.Done():
				cancelled++
			case <-timer.C:
			}
			group.Done()
		}()
	}
	started.Wait()
	runtime.Gosched()
	printSince("sleep_task_arm", arming, count)
	cancelling := time.Now()
	for _, stop := range stops {
		stop()
	}
	group.Wait()
	printSince("cancel_no_throw", cancelling, count)
	expect(cancelled == count)
}

func lateness() {
	const count = 10_000
	late, sum := make([]float64, count), 0.0
	var group sync.WaitGroup
	group.Add(count)
	for i := range late {
		delay := time.Millisecond + time.Duration(rand.Int63n(49e6))
		go func(i int) {
			due := time.Now().Add(delay)
			time.Sleep(delay)
			late[i] = float64(time.Since(due).Nanoseconds()) / 1e3
			group.Done()
		}(i)
	}
	group.Wait()
	sort.Float64s(late)
	for _, value := range late {
		sum += value
	}
	report("sleep_late_mean_us", sum/count)
	report("sleep_late_p99_us", late[count*99/100])
}

func queue() {
	const items = 3_000_000
	line, sum := make(chan int, 128), 0
	began := time.Now()
	go func() {
		for i := 0; i < items; i++ {
			line <- 1
		}
	}()
	for i := 0; i < items; i++ {
		sum += <-line
	}
	printSince("queue_item", began, items)
	expect(sum == items)
}

// A channel with one token: sync.Mutex does not hand over.
func lock() {
	const rounds = 500_000
	mutex := make(chan struct{}, 1)
	mutex <- struct{}{}
	owner, handedOver := -1, 0
	var group sync.WaitGroup
	group.Add(2)
	began := time.Now()
	for own := 0; own < 2; own++ {
		go func(own int) {
			for i := 0; i < rounds; i++ {
				<-mutex
				if owner != own {
					owner = own
					handedOver++
				}
				runtime.Gosched()
				mutex <- struct{}{}
			}
			group.Done()
		}(own)
	}
	group.Wait()
	printSince("lock_handoff", began, handedOver)
}

// Functions through a channel, to a goroutine on a thread of its own.
func post(name string, producers int) {
	const count = 1_000_000
	runtime.GOMAXPROCS(2)
	line, run := make(chan func(), 1024), 0
	began := time.Now()
	for producer := 0; producer < producers; producer++ {
		go func() {
			runtime.LockOSThread()
			for i := 0; i < count/producers; i++ {
				line <- func() { run++ }
			}
		}()
	}
	runtime.LockOSThread()
	for i := 0; i < count; i++ {
		(<-line)()
	}
	printSince(name, began, count)
	expect(run == count)
}

func memory() {
	const count = 200_000
	event := make(chan struct{})
	before := residentBytes()
	for i := 0; i < count; i++ {
		go func() { <-event }()
	}
	runtime.Gosched()
	time.Sleep(10 * time.Millisecond)
	report("waiting_task_bytes", (residentBytes()-before)/count)
	close(event)
}

func main() {
	runtime.GOMAXPROCS(1)
	switch os.Args[1] {
	case "yield":
		yields("yield_1", 1)
		yields("yield_100", 100)
	case "spawn":
		batches("spawn_join", 1_000, 1_000)
	case "gather":
		batches("gather_100", 100, 5_000)
	case "timer":
		timers()
	case "sleep":
		sleepTasks()
	case "late":
		lateness()
	case "queue":
		queue()
	case "lock":
		lock()
	case "post":
		post("post", 1)
	case "many":
		post("post_many", 4)
	case "memory":
		memory()
	}
}
