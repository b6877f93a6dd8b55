// What Coraza needs for the requests of our own bench: CPU time and memory.
//
// A process of its own. `cargo xtask bench waf` builds and runs it:
//
//	bench REQUESTS SECONDS [CONF...]
//
// It reads and prints what bench/peers/modsecurity/bench.c does, where both are described. CPU time is that of the
// whole process, so that the collector of garbage counts. The filter before regular expressions is on, with which
// Coraza is fastest.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/corazawaf/coraza/v3"
)

type header struct{ name, value string }

type request struct {
	method, target, version string
	headers                 []header
	body                    []byte
}

type reader struct{ rest []byte }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (from *reader) take(length int) []byte {
	if length > len(from.rest) {
		check(fmt.Errorf("the file of requests is cut off"))
	}
	found := from.rest[:length]
	from.rest = from.rest[length:]
	return found
}

func (from *reader) number() int   { return int(binary.LittleEndian.Uint32(from.take(4))) }
func (from *reader) bytes() []byte { return from.take(from.number()) }
func (from *reader) text() string  { return string(from.bytes()) }

func (from *reader) request() request {
	found := request{method: from.text(), target: from.text(), version: from.text()}
	for left := from.number(); left > 0; left-- {
		found.headers = append(found.headers, header{from.text(), from.text()})
	}
	found.body = from.bytes()
	return found
}

// As a host does it: what is blocked goes no further, but is logged.
func inspect(waf coraza.WAF, request request) bool {
	transaction := waf.NewTransaction()
	transaction.ProcessConnection("192.0.2.7", 40711, "192.0.2.1", 443)
	transaction.ProcessURI(request.target, request.method, request.version)
	for _, header := range request.headers {
		transaction.AddRequestHeader(header.name, header.value)
	}
	interruption := transaction.ProcessRequestHeaders()
	if interruption == nil {
		_, _, err := transaction.WriteRequestBody(request.body)
		check(err)
		interruption, err = transaction.ProcessRequestBody()
		check(err)
	}
	transaction.ProcessLogging()
	check(transaction.Close())
	return interruption != nil
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(time syscall.Timeval) float64 { return float64(time.Sec) + float64(time.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

// A round is each request of the kind once, as often as takes a while; the first one only warms up and tells what is
// blocked.
func measure(waf coraza.WAF, name string, requests []request, seconds float64) {
	blocked := 0
	for _, request := range requests {
		if inspect(waf, request) {
			blocked++
		}
	}
	var times []float64
	for end := cpuSeconds() + seconds; cpuSeconds() < end || len(times) < 3; {
		start, turns := cpuSeconds(), 0
		for cpuSeconds()-start < 0.02 {
			for _, request := range requests {
				inspect(waf, request)
			}
			turns++
		}
		times = append(times, (cpuSeconds()-start)/float64(turns*len(requests)))
	}
	slices.Sort(times)
	median := (times[(len(times)-1)/2] + times[len(times)/2]) / 2
	fmt.Printf("%s\t%.2f\t%d\t%d\n", name, median*1e6, blocked, len(requests))
}

func printMemory() {
	status, err := os.ReadFile("/proc/self/status")
	check(err)
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	resident, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	fmt.Printf("memory\t%s\n", resident)
}

func main() {
	if len(os.Args) < 3 {
		check(fmt.Errorf("usage: bench REQUESTS SECONDS [CONF...]"))
	}
	bytes, err := os.ReadFile(os.Args[1])
	check(err)
	seconds, err := strconv.ParseFloat(os.Args[2], 64)
	check(err)
	config := coraza.NewWAFConfig().WithDirectives("SecRxPreFilter On")
	for _, path := range os.Args[3:] {
		config = config.WithDirectivesFromFile(path)
	}
	file := reader{bytes}
	for left := file.number(); left > 0; left-- {
		config = config.WithDirectivesFromFile(file.text())
	}
	waf, err := coraza.NewWAF(config)
	check(err)
	for left := file.number(); left > 0; left-- {
		name := file.text()
		requests := make([]request, file.number())
		for place := range requests {
			requests[place] = file.request()
		}
		measure(waf, name, requests, seconds)
	}
	printMemory()
}
