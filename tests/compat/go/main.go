// Drives the official Go client and prints what happened, one JSON object a
// line; it judges nothing. Commands and events: tests/compat/README.md. The
// Java program beside this one is its twin.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
	"github.com/apache/rocketmq-clients/golang/v5/credentials"
)

// messageNotFound is how an empty poll reaches a program.
const messageNotFound = 40401

var (
	endpoint   = flag.String("endpoint", "", "host:port of the access point")
	topic      = flag.String("topic", "", "topic")
	group      = flag.String("group", "", "consumer group")
	planFile   = flag.String("plan", "", "what to send")
	seed       = flag.String("seed", "", "makes the bodies")
	untilAcked = flag.Int("until-acked", 1<<30, "send no more once so many are acknowledged")
	intervalMs = flag.Int("interval-ms", 0, "pause after each send")
	invisibleS = flag.Int("invisible-s", 10, "invisible duration of a receive")
	ackFrom    = flag.Int("ack-from-attempt", 1, "leave earlier attempts unacknowledged")

	printing sync.Mutex
)

type fields map[string]any

func event(name string, more fields) {
	line := fields{"event": name, "ms": time.Now().UnixMilli()}
	for key, value := range more {
		line[key] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		log.Fatal(err)
	}
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(text))
}

// plan is one line of the plan file; see Plan.java for the format.
type plan struct {
	index, size int
	tag         string
	keys        []string
	properties  map[string]string
}

func readPlan(path string) ([]plan, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var plans []plan
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		part := strings.Split(line, "\t")
		if len(part) != 5 {
			return nil, fmt.Errorf("bad plan line: %q", line)
		}
		p := plan{tag: part[2], keys: strings.Split(part[3], ","), properties: map[string]string{}}
		if p.index, err = strconv.Atoi(part[0]); err != nil {
			return nil, err
		}
		if p.size, err = strconv.Atoi(part[1]); err != nil {
			return nil, err
		}
		for _, property := range strings.Split(part[4], ";") {
			key, value, _ := strings.Cut(property, "=")
			p.properties[key] = value
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// body is SHA-256 of "seed:index:block" for block 0, 1, …, cut at the size.
func (p plan) body() []byte {
	body := make([]byte, 0, p.size+sha256.Size)
	for block := 0; len(body) < p.size; block++ {
		sum := sha256.Sum256([]byte(fmt.Sprintf("%s:%d:%d", *seed, p.index, block)))
		body = append(body, sum[:]...)
	}
	return body[:p.size]
}

func config() *rmq.Config {
	return &rmq.Config{
		Endpoint:      *endpoint,
		ConsumerGroup: *group,
		Credentials:   &credentials.SessionCredentials{}, // Mandatory, may be empty.
	}
}

func subscription() map[string]*rmq.FilterExpression {
	return map[string]*rmq.FilterExpression{*topic: rmq.SUB_ALL}
}

func send() error {
	plans, err := readPlan(*planFile)
	if err != nil {
		return err
	}
	producer, err := rmq.NewProducer(config(), rmq.WithTopics(*topic))
	if err != nil {
		return err
	}
	if err := producer.Start(); err != nil {
		return err
	}
	event("ready", nil)
	acked := 0
	for _, p := range plans {
		if acked == *untilAcked {
			break
		}
		message := &rmq.Message{Topic: *topic, Body: p.body()}
		message.SetTag(p.tag)
		message.SetKeys(p.keys...)
		for key, value := range p.properties {
			message.AddProperty(key, value)
		}
		receipts, err := producer.Send(context.Background(), message)
		if err != nil || len(receipts) != 1 {
			event("send_failed", fields{"index": p.index, "error": fmt.Sprint(err)})
		} else {
			acked++
			event("sent", fields{"index": p.index, "id": receipts[0].MessageID})
		}
		time.Sleep(time.Duration(*intervalMs) * time.Millisecond)
	}
	return producer.GracefulStop()
}

// stopRequested is closed once the harness closes standard input.
func stopRequested() <-chan struct{} {
	stop := make(chan struct{})
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		close(stop)
	}()
	return stop
}

func receiveSimple() error {
	consumer, err := rmq.NewSimpleConsumer(config(), rmq.WithSimpleAwaitDuration(4*time.Second),
		rmq.WithSimpleSubscriptionExpressions(subscription()))
	if err != nil {
		return err
	}
	if err := consumer.Start(); err != nil {
		return err
	}
	event("ready", nil)
	stop := stopRequested()
	for {
		select {
		case <-stop:
			return consumer.GracefulStop()
		default:
		}
		invisible := time.Duration(*invisibleS) * time.Second
		messages, err := consumer.Receive(context.Background(), 16, invisible)
		if status, ok := rmq.AsErrRpcStatus(err); ok && status.GetCode() == messageNotFound {
			continue
		}
		if err != nil {
			event("receive_failed", fields{"error": err.Error()})
			time.Sleep(100 * time.Millisecond)
			continue
		}
		for _, message := range messages {
			received(message)
			if int(message.GetDeliveryAttempt()) >= *ackFrom {
				ack(consumer, message)
			}
		}
	}
}

func ack(consumer rmq.SimpleConsumer, message *rmq.MessageView) {
	if err := consumer.Ack(context.Background(), message); err != nil {
		event("ack_failed", fields{"id": message.GetMessageId(), "error": err.Error()})
		return
	}
	event("acked", fields{"id": message.GetMessageId()})
}

func receivePush() error {
	consumer, err := rmq.NewPushConsumer(config(),
		rmq.WithPushAwaitDuration(5*time.Second),
		rmq.WithPushSubscriptionExpressions(subscription()),
		rmq.WithPushMessageListener(&rmq.FuncMessageListener{
			Consume: func(message *rmq.MessageView) rmq.ConsumerResult {
				received(message)
				return rmq.SUCCESS
			},
		}))
	if err != nil {
		return err
	}
	if err := consumer.Start(); err != nil {
		return err
	}
	event("ready", nil)
	<-stopRequested()
	return consumer.GracefulStop()
}

func received(message *rmq.MessageView) {
	sum := sha256.Sum256(message.GetBody())
	event("received", fields{
		"id":         message.GetMessageId(),
		"topic":      message.GetTopic(),
		"size":       len(message.GetBody()),
		"sha256":     hex.EncodeToString(sum[:]),
		"tag":        message.GetTag(),
		"keys":       message.GetKeys(),
		"properties": message.GetProperties(),
		"attempt":    message.GetDeliveryAttempt(),
		"born_ms":    message.GetBornTimestamp().UnixMilli(),
	})
}

func main() {
	commands := map[string]func() error{
		"send":           send,
		"receive-simple": receiveSimple,
		"receive-push":   receivePush,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		log.Fatal("commands: send, receive-simple, receive-push")
	}
	if err := flag.CommandLine.Parse(os.Args[2:]); err != nil {
		log.Fatal(err)
	}
	rmq.EnableSsl = false // Read when a client is made, so it comes before any.
	if err := commands[os.Args[1]](); err != nil {
		log.Fatal(err)
	}
	event("done", nil)
}
