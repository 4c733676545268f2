// Runs the classic Go client, unmodified, against a nameserver and its brokers:
// each scenario sends, consumes and judges what came. One line a scenario; the
// exit code is the number of those that failed. `send` and `receive` (kill.go)
// are programs of their own. See README.md beside this file.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

var (
	namesrv  = flag.String("namesrv", "127.0.0.1:9876", "host:port of the nameserver")
	only     = flag.String("scenarios", "", "names separated by commas; all if empty")
	patience = flag.Duration("patience", 60*time.Second, "how long to wait for messages")
	logLevel = flag.String("log-level", "error", "of the client")
	broker   = flag.String("broker", "", "host:port of a broker, for what an admin client asks it")
	parallel = flag.Int("parallel", 1, "scenarios at a time")
	list     = flag.Bool("list", false, "print the names of the scenarios")
)

// run is what one scenario works with; its names are new to the cluster.
type run struct {
	topic, group string
	instance     int
	producer     rocketmq.Producer
}

func (r *run) fail(format string, args ...any) { panic(fmt.Errorf(format, args...)) }

func (r *run) check(err error) {
	if err != nil {
		panic(err)
	}
}

func (r *run) startProducer(options ...producer.Option) {
	options = append([]producer.Option{
		producer.WithNsResolver(primitive.NewPassthroughResolver([]string{*namesrv})),
		producer.WithGroupName("pg-" + r.group),
		producer.WithInstanceName("producer-" + r.group),
		producer.WithRetry(2),
	}, options...)
	p, err := rocketmq.NewProducer(options...)
	r.check(err)
	r.check(p.Start())
	r.producer = p
}

func (r *run) message(body string) *primitive.Message {
	m := primitive.NewMessage(r.topic, []byte(body))
	m.WithKeys([]string{"key-" + body[:min(8, len(body))]})
	return m
}

// got is what consumers received.
type got struct {
	mu    sync.Mutex
	times map[string]int // By body.
	last  map[string]*primitive.MessageExt
	when  map[string]time.Time
	by    map[string]int // By consumer.
}

func newGot() *got {
	return &got{times: map[string]int{}, last: map[string]*primitive.MessageExt{},
		when: map[string]time.Time{}, by: map[string]int{}}
}

func (g *got) add(who string, m *primitive.MessageExt) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	body := string(m.Body)
	g.times[body]++
	g.last[body] = m
	g.when[body] = time.Now()
	g.by[who]++
	return g.times[body]
}

func (g *got) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.times)
}

func (r *run) startConsumer(g *got, handle func(times int, m *primitive.MessageExt) consumer.ConsumeResult,
	selector consumer.MessageSelector, options ...consumer.Option) rocketmq.PushConsumer {
	r.instance++
	name := fmt.Sprintf("consumer-%s-%d", r.group, r.instance)
	options = append([]consumer.Option{
		consumer.WithNsResolver(primitive.NewPassthroughResolver([]string{*namesrv})),
		consumer.WithGroupName(r.group),
		consumer.WithInstance(name),
		consumer.WithConsumerModel(consumer.Clustering),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}, options...)
	c, err := rocketmq.NewPushConsumer(options...)
	r.check(err)
	r.check(c.Subscribe(r.topic, selector,
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			result := consumer.ConsumeSuccess
			for _, m := range messages {
				times := g.add(name, m)
				if handle == nil {
					continue
				}
				if answer := handle(times, m); answer != consumer.ConsumeSuccess {
					result = answer
				}
			}
			return result, nil
		}))
	r.check(c.Start())
	return c
}

var everything = consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}

// wait returns once g has all of `bodies`, each as often as it may come.
func (r *run) wait(g *got, bodies []string) {
	deadline := time.Now().Add(*patience)
	for g.count() < len(bodies) && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond) // What comes too often comes soon.
	g.mu.Lock()
	defer g.mu.Unlock()
	var missing []string
	for _, body := range bodies {
		if g.times[body] == 0 {
			missing = append(missing, body)
		}
	}
	if len(missing) > 0 {
		sort.Strings(missing)
		r.fail("%d of %d messages did not come, among them %.40q", len(missing), len(bodies), missing[0])
	}
	if len(g.times) > len(bodies) {
		r.fail("%d messages came, %d were expected", len(g.times), len(bodies))
	}
}

func (r *run) once(g *got) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for body, times := range g.times {
		if times != 1 {
			r.fail("%.40q came %d times", body, times)
		}
	}
}

func numbered(prefix string, count int) []string {
	var bodies []string
	for i := 0; i < count; i++ {
		bodies = append(bodies, prefix+strconv.Itoa(i))
	}
	return bodies
}

// --- Scenarios ------------------------------------------------------------------

func (r *run) sendSync(bodies []string, tag string) {
	for _, body := range bodies {
		m := r.message(body)
		if tag != "" {
			m.WithTag(tag)
		}
		m.WithProperty("own", "property of "+body[:min(8, len(body))])
		result, err := r.producer.SendSync(context.Background(), m)
		r.check(err)
		if result.Status != primitive.SendOK || result.OffsetMsgID == "" || result.MsgID == "" {
			r.fail("sent: %v", result)
		}
	}
}

func syncSends(r *run) string {
	r.startProducer()
	bodies := numbered("sync-", 200)
	began := time.Now()
	r.sendSync(bodies, "t")
	took := time.Since(began)
	g := newGot()
	defer r.startConsumer(g, nil, everything).Shutdown()
	r.wait(g, bodies)
	r.once(g)
	m := g.last["sync-7"]
	if m.GetTags() != "t" || m.GetKeys() != "key-sync-7" || m.GetProperty("own") != "property of sync-7" {
		r.fail("properties: %v", m.GetProperties())
	}
	return fmt.Sprintf("%d sends, %.2f ms each", len(bodies), float64(took.Microseconds())/1000/float64(len(bodies)))
}

func asyncSends(r *run) string {
	r.startProducer()
	bodies := numbered("async-", 1000)
	began := time.Now()
	var open sync.WaitGroup
	var failure error
	var mu sync.Mutex
	for _, body := range bodies {
		open.Add(1)
		err := r.producer.SendAsync(context.Background(), func(_ context.Context, result *primitive.SendResult, err error) {
			if err != nil || result.Status != primitive.SendOK {
				mu.Lock()
				failure = fmt.Errorf("callback: %v, %v", result, err)
				mu.Unlock()
			}
			open.Done()
		}, r.message(body))
		r.check(err)
	}
	open.Wait()
	took := time.Since(began)
	r.check(failure)
	g := newGot()
	defer r.startConsumer(g, nil, everything).Shutdown()
	r.wait(g, bodies)
	r.once(g)
	return fmt.Sprintf("%.0f sends a second", float64(len(bodies))/took.Seconds())
}

func oneWaySends(r *run) string {
	r.startProducer()
	bodies := numbered("oneway-", 200)
	for _, body := range bodies {
		r.check(r.producer.SendOneWay(context.Background(), r.message(body)))
	}
	g := newGot()
	time.Sleep(time.Second)
	defer r.startConsumer(g, nil, everything).Shutdown()
	r.wait(g, bodies)
	r.once(g)
	return ""
}

func batches(r *run) string {
	r.startProducer()
	var bodies []string
	for i := 0; i < 20; i++ {
		part := numbered(fmt.Sprintf("batch-%d-", i), 25)
		var messages []*primitive.Message
		for _, body := range part {
			messages = append(messages, r.message(body))
		}
		result, err := r.producer.SendSync(context.Background(), messages...)
		r.check(err)
		if ids := strings.Split(result.OffsetMsgID, ","); len(ids) != len(part) {
			r.fail("%d offset ids for %d messages", len(ids), len(part))
		}
		bodies = append(bodies, part...)
	}
	g := newGot()
	defer r.startConsumer(g, nil, everything).Shutdown()
	r.wait(g, bodies)
	r.once(g)
	return fmt.Sprintf("%d messages", len(bodies))
}

func largeBodies(r *run) string {
	r.startProducer()
	bodies := []string{strings.Repeat("a", 5000), strings.Repeat("body ", 100_000), "empty-ish"}
	r.sendSync(bodies, "")
	g := newGot()
	defer r.startConsumer(g, nil, everything).Shutdown()
	r.wait(g, bodies)
	r.once(g)
	return ""
}

func delays(r *run) string {
	r.startProducer()
	r.sendSync([]string{"at once"}, "")
	g := newGot()
	defer r.startConsumer(g, nil, everything).Shutdown()
	r.wait(g, []string{"at once"})
	m := r.message("five seconds")
	m.WithDelayTimeLevel(2)
	sent := time.Now()
	_, err := r.producer.SendSync(context.Background(), m)
	r.check(err)
	r.wait(g, []string{"at once", "five seconds"})
	took := g.when["five seconds"].Sub(sent)
	if took < 5*time.Second || took > 8*time.Second {
		r.fail("level 2 came after %v", took)
	}
	return fmt.Sprintf("level 2 after %v", took.Round(time.Millisecond))
}

func tags(r *run) string {
	r.startProducer()
	wanted := append(numbered("a-", 50), numbered("b-", 50)...)
	r.sendSync(wanted[:50], "a")
	r.sendSync(numbered("c-", 50), "c")
	r.sendSync(wanted[50:], "b")
	g := newGot()
	defer r.startConsumer(g, nil, consumer.MessageSelector{Type: consumer.TAG, Expression: "a || b"}).Shutdown()
	r.wait(g, wanted)
	r.once(g)
	return ""
}

// A message fails once and comes again after ten seconds.
func retries(r *run) string {
	r.startProducer()
	r.sendSync([]string{"fails once"}, "")
	g := newGot()
	first := time.Time{}
	defer r.startConsumer(g, func(times int, m *primitive.MessageExt) consumer.ConsumeResult {
		if times == 1 {
			first = time.Now()
			return consumer.ConsumeRetryLater
		}
		return consumer.ConsumeSuccess
	}, everything).Shutdown()
	deadline := time.Now().Add(*patience)
	for time.Now().Before(deadline) {
		g.mu.Lock()
		times := g.times["fails once"]
		g.mu.Unlock()
		if times >= 2 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(time.Second)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.times["fails once"] != 2 {
		r.fail("it came %d times", g.times["fails once"])
	}
	m, took := g.last["fails once"], g.when["fails once"].Sub(first)
	if m.ReconsumeTimes != 1 || took < 9*time.Second {
		r.fail("again after %v with %d reconsume times", took, m.ReconsumeTimes)
	}
	return fmt.Sprintf("again after %v", took.Round(time.Millisecond))
}

// Two consumers share the queues; when one leaves, the other gets all.
func rebalance(r *run) string {
	r.startProducer()
	r.sendSync([]string{"first"}, "")
	g := newGot()
	one := r.startConsumer(g, nil, everything)
	two := r.startConsumer(g, nil, everything)
	defer two.Shutdown()
	r.wait(g, []string{"first"})
	time.Sleep(3 * time.Second) // Notices need milliseconds.
	shared := numbered("shared-", 100)
	r.sendSync(shared, "")
	r.wait(g, append([]string{"first"}, shared...))
	g.mu.Lock()
	parts := len(g.by)
	g.mu.Unlock()
	if parts != 2 {
		r.fail("%d of two consumers got messages", parts)
	}
	r.check(one.Shutdown())
	began := time.Now()
	rest := numbered("rest-", 100)
	r.sendSync(rest, "")
	r.wait(g, append(append([]string{"first"}, shared...), rest...))
	g.mu.Lock()
	g.times["first"] = 1 // Its queue may have moved before its offset was reported.
	g.mu.Unlock()
	r.once(g)
	return fmt.Sprintf("all by one %v after the other left", time.Since(began).Round(time.Millisecond))
}

// A consumer that comes back goes on where its group was.
func offsets(r *run) string {
	r.startProducer()
	before := numbered("before-", 100)
	r.sendSync(before, "")
	g := newGot()
	c := r.startConsumer(g, nil, everything)
	r.wait(g, before)
	r.check(c.Shutdown())
	after := numbered("after-", 100)
	r.sendSync(after, "")
	again := newGot()
	defer r.startConsumer(again, nil, everything).Shutdown()
	r.wait(again, after)
	r.once(again)
	return ""
}

func orderly(r *run) string {
	r.startProducer(producer.WithQueueSelector(producer.NewHashQueueSelector()))
	var bodies []string
	for i := 0; i < 100; i++ {
		body := fmt.Sprintf("order-%d-%02d", i%5, i/5)
		m := r.message(body)
		m.WithShardingKey(strconv.Itoa(i % 5))
		_, err := r.producer.SendSync(context.Background(), m)
		r.check(err)
		bodies = append(bodies, body)
	}
	g := newGot()
	var mu sync.Mutex
	next := map[string]int{}
	disorder := ""
	defer r.startConsumer(g, func(_ int, m *primitive.MessageExt) consumer.ConsumeResult {
		mu.Lock()
		defer mu.Unlock()
		parts := strings.Split(string(m.Body), "-")
		if number, _ := strconv.Atoi(parts[2]); number != next[parts[1]] {
			disorder = string(m.Body)
		}
		next[parts[1]]++
		return consumer.ConsumeSuccess
	}, everything, consumer.WithConsumerOrder(true)).Shutdown()
	r.wait(g, bodies)
	r.once(g)
	if disorder != "" {
		r.fail("%s came out of order", disorder)
	}
	return ""
}

func broadcasting(r *run) string {
	r.startProducer()
	r.sendSync([]string{"first"}, "")
	a, b := newGot(), newGot()
	defer r.startConsumer(a, nil, everything, consumer.WithConsumerModel(consumer.BroadCasting)).Shutdown()
	defer r.startConsumer(b, nil, everything, consumer.WithConsumerModel(consumer.BroadCasting)).Shutdown()
	r.wait(a, []string{"first"})
	r.wait(b, []string{"first"})
	bodies := append(numbered("all-", 50), "first")
	r.sendSync(bodies[:50], "")
	r.wait(a, bodies)
	r.wait(b, bodies)
	r.once(a)
	r.once(b)
	return ""
}

var scenarios = []struct {
	name string
	body func(*run) string
}{
	// The longest first: they mostly wait, and others may run meanwhile.
	{"dead-letter", deadLetters}, {"retry", retries}, {"delay", delays}, {"rebalance", rebalance},
	{"sync", syncSends}, {"async", asyncSends}, {"oneway", oneWaySends}, {"batch", batches},
	{"large", largeBodies}, {"tags", tags}, {"offsets", offsets}, {"orderly", orderly},
	{"broadcast", broadcasting}, {"create-topic", createTopic}, {"new-topic", newTopic},
	{"poll", polls}, {"pull", pulls}, {"again", again},
}

func perform(name string, body func(*run) string) (text string, err error) {
	// Not the time alone: other programs with such names start in the same millisecond.
	stamp := fmt.Sprintf("go-%d-%s", os.Getpid(), strconv.FormatInt(time.Now().UnixMilli(), 36))
	r := &run{topic: "classic-" + name + "-" + stamp, group: "cg-" + name + "-" + stamp}
	defer func() {
		if r.producer != nil {
			r.producer.Shutdown()
		}
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v", problem)
		}
	}()
	return body(r), nil
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "send":
			report(send, os.Args[2:])
			return
		case "receive":
			report(receive, os.Args[2:])
			return
		}
	}
	flag.Parse()
	rlog.SetLogLevel(*logLevel)
	wanted := map[string]bool{}
	for _, name := range strings.Split(*only, ",") {
		wanted[name] = name != ""
	}
	var open sync.WaitGroup
	var failed atomic.Int32
	turns := make(chan struct{}, max(1, *parallel))
	for _, s := range scenarios {
		if *only != "" && !wanted[s.name] {
			continue
		}
		if *list {
			fmt.Println(s.name)
			continue
		}
		turns <- struct{}{}
		open.Add(1)
		go func() {
			defer open.Done()
			defer func() { <-turns }()
			began := time.Now()
			text, err := perform(s.name, s.body)
			took := time.Since(began).Round(100 * time.Millisecond)
			if err != nil {
				failed.Add(1)
				fmt.Printf("FAILED %-12s %6v  %v\n", s.name, took, err)
			} else {
				fmt.Printf("ok     %-12s %6v  %s\n", s.name, took, text)
			}
		}()
	}
	open.Wait()
	os.Exit(int(failed.Load()))
}
