// The two commands that the harness runs while it kills brokers: they obey and
// report, one JSON object a line, and judge nothing. Contract: README.md of
// the folder above.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

type fields map[string]any

var printing sync.Mutex

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

// stopRequested is closed once the harness closes standard input.
func stopRequested() <-chan struct{} {
	stop := make(chan struct{})
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		close(stop)
	}()
	return stop
}

// queueWatch is the client's logger: there is no other place where the client
// says which queues it takes and lets go of.
type queueWatch struct {
	topic string
	mu    sync.Mutex
	held  map[string]bool
	ready bool
}

func (w *queueWatch) Debug(text string, f map[string]any) { w.look(text, f) }
func (w *queueWatch) Info(text string, f map[string]any)  { w.look(text, f) }
func (w *queueWatch) Warning(text string, f map[string]any) {
	w.look(text, f)
	w.write("warning", text, f)
}
func (w *queueWatch) Error(text string, f map[string]any) { w.write("error", text, f) }
func (w *queueWatch) Fatal(text string, f map[string]any) { w.write("fatal", text, f) }
func (w *queueWatch) Level(string)                        {}
func (w *queueWatch) OutputPath(string) error             { return nil }

func (w *queueWatch) write(level, text string, f map[string]any) {
	fmt.Fprintln(os.Stderr, time.Now().Format("15:04:05.000"), level, text, f)
}

func (w *queueWatch) look(text string, f map[string]any) {
	queue := fmt.Sprint(f[rlog.LogKeyMessageQueue])
	own := strings.Contains(queue, "topic="+w.topic+",")
	added := own && text == "updateProcessQueueTable do defaultConsumer, add a new mq"
	removed := own && strings.HasPrefix(text, "remove unnecessary mq")
	balanced := text == "MessageQueue do balance done" && f[rlog.LogKeyTopic] == w.topic
	if !added && !removed && !balanced {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.held)
	if added {
		w.held[queue] = true
	} else if removed {
		delete(w.held, queue)
	}
	if len(w.held) != before {
		event("queues", fields{"count": len(w.held)})
	}
	if balanced && !w.ready && len(w.held) > 0 {
		w.ready = true
		event("ready", nil)
	}
}

func resolver(address string) primitive.NsResolver {
	return primitive.NewPassthroughResolver([]string{address})
}

func send(arguments []string) error {
	flags := flag.NewFlagSet("send", flag.ExitOnError)
	address := flags.String("namesrv", "", "host:port")
	topic := flags.String("topic", "", "topic")
	untilAcked := flags.Int("until-acked", 1<<30, "send no more once so many are acknowledged")
	intervalMs := flags.Int("interval-ms", 0, "pause after each send")
	seed := flags.String("seed", "", "part of the bodies")
	resendEveryMs := flags.Int("resend-every-ms", 0, "send one Message object again so often; 0: never")
	_ = flags.Parse(arguments)
	rlog.SetLogger(&queueWatch{held: map[string]bool{}})
	p, err := rocketmq.NewProducer(producer.WithNsResolver(resolver(*address)),
		producer.WithGroupName("pg-"+*topic))
	if err != nil {
		return err
	}
	if err := p.Start(); err != nil {
		return err
	}
	stop := stopRequested()
	var open sync.WaitGroup
	ended := make(chan struct{})
	if *resendEveryMs > 0 {
		open.Add(1)
		go func() {
			defer open.Done()
			resend(p, *topic, *seed, time.Duration(*resendEveryMs)*time.Millisecond, ended)
		}()
	}
	event("ready", nil)
	for index, acked := 0, 0; acked < *untilAcked; index++ {
		body := fmt.Sprintf("m-%d-%s", index, *seed)
		result, err := p.SendSync(context.Background(), primitive.NewMessage(*topic, []byte(body)))
		if err != nil || result.Status != primitive.SendOK {
			event("send_failed", fields{"index": index, "error": fmt.Sprint(err, result)})
		} else {
			acked++
			event("sent", fields{"index": index, "id": result.MsgID, "body": body})
		}
		select {
		case <-stop:
			acked = *untilAcked
		case <-time.After(time.Duration(*intervalMs) * time.Millisecond):
		}
	}
	close(ended)
	open.Wait()
	return p.Shutdown()
}

// resend sends one Message object over and over: each of these sends is meant.
func resend(p rocketmq.Producer, topic, seed string, every time.Duration, ended <-chan struct{}) {
	message := primitive.NewMessage(topic, []byte("again-"+seed))
	for n := 0; ; n++ {
		began := time.Now()
		result, err := p.SendSync(context.Background(), message)
		if err != nil || result.Status != primitive.SendOK {
			event("resend_failed", fields{"n": n, "error": fmt.Sprint(err, result)})
		} else {
			event("resent", fields{"n": n, "id": result.MsgID, "offset_id": result.OffsetMsgID,
				"took_ms": time.Since(began).Milliseconds()})
		}
		select {
		case <-ended:
			return
		case <-time.After(every):
		}
	}
}

func receive(arguments []string) error {
	flags := flag.NewFlagSet("receive", flag.ExitOnError)
	address := flags.String("namesrv", "", "host:port")
	topic := flags.String("topic", "", "topic")
	group := flags.String("group", "", "consumer group")
	_ = flags.Parse(arguments)
	rlog.SetLogger(&queueWatch{topic: *topic, held: map[string]bool{}})
	c, err := rocketmq.NewPushConsumer(consumer.WithNsResolver(resolver(*address)),
		consumer.WithGroupName(*group), consumer.WithConsumerModel(consumer.Clustering),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	if err != nil {
		return err
	}
	err = c.Subscribe(*topic, everything,
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, m := range messages {
				event("received", fields{"id": m.MsgId, "body": string(m.Body),
					"reconsume": m.ReconsumeTimes, "queue": m.Queue.QueueId, "offset": m.QueueOffset})
			}
			return consumer.ConsumeSuccess, nil
		})
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	<-stopRequested()
	return c.Shutdown()
}

// report runs `command` as a program of its own.
func report(command func([]string) error, arguments []string) {
	if err := command(arguments); err != nil {
		log.Fatal(err)
	}
	event("done", nil)
}
