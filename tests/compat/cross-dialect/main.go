// Sends with the official client of one protocol and receives with that of the
// other: what one dialect sends, the other must receive unchanged, when it is
// due, as often as it fails, and at last as a dead letter. One line a scenario;
// the exit code is the number of those that failed.
//
//	bin/cross list
//	bin/cross scenarios --namesrv H:P --endpoint H:P --prefix P
//
// The topic of a scenario is PREFIX-NAME, of type mixed, its group
// PREFIX-NAME-group with 2 attempts; both are there before it starts.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2/rlog"
	rmq "github.com/apache/rocketmq-clients/golang/v5"
)

const (
	patience = 60 * time.Second
	delay    = 5 * time.Second // Level 2 of the classic protocol.
)

// message is what both dialects can say of one.
type message struct {
	id         string // "" when it is sent: the client makes it.
	body       string
	tag        string
	keys       []string
	properties map[string]string // Of the program; without the protocol's own.
	attempt    int
	at         time.Time
}

// dialect is what a scenario needs of a client library.
type dialect interface {
	// send returns the ids, one a message.
	send(topic string, messages []message, delay time.Duration) ([]string, error)
	// receive calls `handle` for each delivery, which says whether it succeeded.
	// It ends when `stop` is called.
	receive(topic, group string, handle func(message) bool) (stop func(), err error)
}

// inbox keeps what a consumer received.
type inbox struct {
	mu       sync.Mutex
	received map[string][]message // By body.
}

func (b *inbox) add(m message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m.at = time.Now()
	b.received[m.body] = append(b.received[m.body], m)
}

func (b *inbox) of(body string) []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.received[body])
}

// wait returns once every message came at least `times` times.
func (b *inbox) wait(messages []message, times int) error {
	deadline := time.Now().Add(patience)
	for _, m := range messages {
		for len(b.of(m.body)) < times {
			if time.Now().After(deadline) {
				return fmt.Errorf("%q came %d times in %v, wanted %d", m.body, len(b.of(m.body)), patience, times)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

func newInbox() *inbox { return &inbox{received: map[string][]message{}} }

// scenario is one run in one direction.
type scenario struct {
	from, to     dialect
	topic, group string
}

func (s *scenario) start(topic, group string, succeeds func(message) bool) (*inbox, func(), error) {
	box := newInbox()
	stop, err := s.to.receive(topic, group, func(m message) bool {
		box.add(m)
		return succeeds(m)
	})
	return box, stop, err
}

func always(message) bool { return true }

// compare returns what differs between a message as sent and as delivered.
func compare(sent, got message) error {
	switch {
	case got.id != sent.id:
		return fmt.Errorf("%q has the id %s, was sent as %s", sent.body, got.id, sent.id)
	case got.tag != sent.tag:
		return fmt.Errorf("%q has the tag %q, was sent with %q", sent.body, got.tag, sent.tag)
	case !slices.Equal(got.keys, sent.keys):
		return fmt.Errorf("%q has the keys %q, was sent with %q", sent.body, got.keys, sent.keys)
	}
	for name, value := range sent.properties {
		if got.properties[name] != value {
			return fmt.Errorf("%q: property %s is %q, was sent as %q", sent.body, name, got.properties[name], value)
		}
	}
	return nil
}

func (s *scenario) sendAll(messages []message, delay time.Duration) error {
	ids, err := s.from.send(s.topic, messages, delay)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	for i := range messages {
		messages[i].id = ids[i]
	}
	return nil
}

// plain: bodies, tags, keys, properties and ids of 40 messages, each once.
func (s *scenario) plain() (string, error) {
	var messages []message
	for i := range 40 {
		m := message{body: fmt.Sprintf("消息 %d \x01\x02", i), tag: []string{"red", "größer", "green"}[i%3],
			properties: map[string]string{"index": fmt.Sprint(i), "quoted": `" and \`, "script": "🛶"}}
		for k := range 1 + i%3 {
			m.keys = append(m.keys, fmt.Sprintf("key-%d-%d", i, k))
		}
		messages = append(messages, m)
	}
	// Neither the one without anything nor the one with a long body is special.
	messages = append(messages, message{body: "bare"}, message{body: strings.Repeat("long", 1<<18), tag: "red"})
	if err := s.sendAll(messages, 0); err != nil {
		return "", err
	}
	box, stop, err := s.start(s.topic, s.group, always)
	if err != nil {
		return "", err
	}
	defer stop()
	if err := box.wait(messages, 1); err != nil {
		return "", err
	}
	time.Sleep(time.Second)
	for _, m := range messages {
		if got := box.of(m.body); len(got) != 1 {
			return "", fmt.Errorf("%.20q came %d times", m.body, len(got))
		} else if err := compare(m, got[0]); err != nil {
			return "", err
		} else if got[0].attempt != 1 {
			return "", fmt.Errorf("%.20q came first as attempt %d", m.body, got[0].attempt)
		}
	}
	return fmt.Sprintf("%d messages", len(messages)), nil
}

// delayed: not before its time, and not long after.
func (s *scenario) delayed() (string, error) {
	box, stop, err := s.start(s.topic, s.group, always)
	if err != nil {
		return "", err
	}
	defer stop()
	messages := []message{{body: "later", tag: "red", keys: []string{"k"}, properties: map[string]string{"a": "b"}}}
	began := time.Now()
	if err := s.sendAll(messages, delay); err != nil {
		return "", err
	}
	if err := box.wait(messages, 1); err != nil {
		return "", err
	}
	got := box.of("later")[0]
	// Clients name the time in ms, and cut it.
	if took := got.at.Sub(began); took < delay-2*time.Millisecond {
		return "", fmt.Errorf("came after %v", took)
	} else if err := compare(messages[0], got); err != nil {
		return "", err
	} else {
		return fmt.Sprintf("after %v", took.Round(time.Millisecond)), nil
	}
}

// retried: fails once, comes again as the same message, the second attempt.
func (s *scenario) retried() (string, error) {
	messages := []message{{body: "again", tag: "green", keys: []string{"k1", "k2"},
		properties: map[string]string{"a": "b"}}}
	if err := s.sendAll(messages, 0); err != nil {
		return "", err
	}
	box, stop, err := s.start(s.topic, s.group, func(m message) bool { return m.attempt > 1 })
	if err != nil {
		return "", err
	}
	defer stop()
	if err := box.wait(messages, 2); err != nil {
		return "", err
	}
	got := box.of("again")
	if got[0].attempt != 1 || got[1].attempt != 2 {
		return "", fmt.Errorf("attempts %d and %d", got[0].attempt, got[1].attempt)
	}
	return fmt.Sprintf("again after %v", got[1].at.Sub(got[0].at).Round(100*time.Millisecond)),
		compare(messages[0], got[1])
}

// dead: fails as often as its group allows; the sender's dialect reads it then.
func (s *scenario) dead() (string, error) {
	messages := []message{{body: "dies", tag: "red", keys: []string{"k"}, properties: map[string]string{"a": "b"}}}
	if err := s.sendAll(messages, 0); err != nil {
		return "", err
	}
	box, stop, err := s.start(s.topic, s.group, func(message) bool { return false })
	if err != nil {
		return "", err
	}
	defer stop()
	if err := box.wait(messages, 2); err != nil {
		return "", err
	}
	letters := newInbox()
	read := func() (func(), error) {
		return s.from.receive("%DLQ%"+s.group, s.group+"-dead", func(m message) bool {
			letters.add(m)
			return true
		})
	}
	stopReading, err := read()
	// The topic is made for the first dead letter.
	for began := time.Now(); err != nil && time.Since(began) < patience; stopReading, err = read() {
		time.Sleep(500 * time.Millisecond)
	}
	if err != nil {
		return "", fmt.Errorf("dead letters: %w", err)
	}
	defer stopReading()
	if err := letters.wait(messages, 1); err != nil {
		return "", fmt.Errorf("dead letters: %w", err)
	}
	time.Sleep(time.Second)
	if times := len(box.of("dies")); times != 2 {
		return "", fmt.Errorf("delivered %d times, the group allows 2", times)
	}
	if times := len(letters.of("dies")); times != 1 {
		return "", fmt.Errorf("%d dead letters", times)
	}
	return "", compare(messages[0], letters.of("dies")[0])
}

var scenarios = []struct {
	name string
	body func(*scenario) (string, error)
}{
	{"dead", (*scenario).dead}, {"retried", (*scenario).retried},
	{"delayed", (*scenario).delayed}, {"plain", (*scenario).plain},
}

func main() {
	flags := flag.NewFlagSet("cross", flag.ExitOnError)
	namesrv := flags.String("namesrv", "", "host:port of the nameserver")
	endpoint := flags.String("endpoint", "", "host:port of the gRPC access point")
	prefix := flags.String("prefix", "", "of topics and groups")
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "commands: list, scenarios")
		os.Exit(2)
	}
	_ = flags.Parse(os.Args[2:])
	rlog.SetLogLevel("error")
	rmq.EnableSsl = false // Read when a client is made.
	dialects := map[string]dialect{"classic": &classic{namesrv: *namesrv}, "grpc": &grpc{endpoint: *endpoint}}
	var open sync.WaitGroup
	var failed atomic.Int32
	for _, s := range scenarios {
		for _, direction := range [][2]string{{"classic", "grpc"}, {"grpc", "classic"}} {
			name := fmt.Sprintf("%s-to-%s-%s", direction[0], direction[1], s.name)
			if os.Args[1] == "list" {
				fmt.Println(name)
				continue
			}
			open.Add(1)
			go func() {
				defer open.Done()
				topic := *prefix + "-" + name
				began := time.Now()
				text, err := s.body(&scenario{from: dialects[direction[0]], to: dialects[direction[1]],
					topic: topic, group: topic + "-group"})
				took := time.Since(began).Round(100 * time.Millisecond)
				if err != nil {
					failed.Add(1)
					fmt.Printf("FAILED %-24s %6v  %v\n", name, took, err)
				} else {
					fmt.Printf("ok     %-24s %6v  %s\n", name, took, text)
				}
			}()
		}
	}
	open.Wait()
	os.Exit(int(failed.Load()))
}
