// Scenarios of what programs do beside sending and pushing: creating topics,
// pulling, giving a message up, sending one object twice.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// A topic made by the admin client has the queues it was asked to have. That
// client hides the answer's code, so that only the route tells.
func createTopic(r *run) string {
	if *broker == "" {
		r.fail("needs -broker")
	}
	client, err := admin.NewAdmin(admin.WithResolver(resolver(*namesrv)))
	r.check(err)
	defer client.Close()
	r.check(client.CreateTopic(context.Background(), admin.WithTopicCreate(r.topic),
		admin.WithBrokerAddrCreate(*broker), admin.WithReadQueueNums(5), admin.WithWriteQueueNums(5)))
	queues, err := client.FetchPublishMessageQueues(context.Background(), r.topic)
	if err != nil {
		r.fail("no route of the topic after its creation: %v", err)
	}
	if len(queues) != 5 {
		r.fail("%d queues, 5 were asked for", len(queues))
	}
	topics, err := client.FetchAllTopicList(context.Background())
	r.check(err)
	listed := false
	for _, topic := range topics.TopicList {
		listed = listed || topic == r.topic
	}
	if !listed {
		r.fail("the nameserver does not list it")
	}
	r.startProducer()
	bodies := numbered("made-", 50)
	r.sendSync(bodies, "")
	g := newGot()
	defer r.startConsumer(g, nil, everything).Shutdown()
	r.wait(g, bodies)
	r.once(g)
	return fmt.Sprintf("%d queues", len(queues))
}

// The first message of a topic that nobody made makes it.
func newTopic(r *run) string {
	r.startProducer()
	result, err := r.producer.SendSync(context.Background(), r.message("first"))
	r.check(err)
	if result.Status != primitive.SendOK || result.QueueOffset != 0 {
		r.fail("sent: %v", result)
	}
	g := newGot()
	defer r.startConsumer(g, nil, everything).Shutdown()
	r.wait(g, []string{"first"})
	r.once(g)
	return ""
}

// Poll and ACK, from queues that the group's rebalance gives.
func polls(r *run) string {
	r.startProducer()
	bodies := numbered("poll-", 200)
	r.sendSync(bodies, "")
	g := newGot()
	poll := func(instance string, wanted int) {
		c := r.pullConsumer(instance)
		defer c.Shutdown()
		r.check(c.Start())
		deadline := time.Now().Add(*patience)
		for g.count() < wanted && time.Now().Before(deadline) {
			request, err := c.Poll(context.Background(), time.Second)
			if errors.Is(err, consumer.ErrNoNewMsg) {
				continue
			}
			r.check(err)
			for _, m := range request.GetMsgList() {
				g.add(instance, m)
			}
			c.ACK(context.Background(), request, consumer.ConsumeSuccess)
		}
	}
	poll("first-"+r.group, len(bodies))
	r.wait(g, bodies)
	// Whoever comes back goes on where the group was.
	more := numbered("more-", 50)
	r.sendSync(more, "")
	poll("second-"+r.group, len(bodies)+len(more))
	r.wait(g, append(bodies, more...))
	r.once(g)
	return ""
}

func (r *run) pullConsumer(instance string) rocketmq.PullConsumer {
	c, err := rocketmq.NewPullConsumer(consumer.WithNsResolver(resolver(*namesrv)),
		consumer.WithGroupName(r.group), consumer.WithInstance(instance),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	r.check(err)
	r.check(c.Subscribe(r.topic, everything))
	return c
}

// PullFrom, queue by queue, the program keeps the offsets.
func pulls(r *run) string {
	r.startProducer()
	bodies := numbered("pull-", 200)
	r.sendSync(bodies, "")
	client, err := admin.NewAdmin(admin.WithResolver(resolver(*namesrv)))
	r.check(err)
	defer client.Close()
	queues, err := client.FetchPublishMessageQueues(context.Background(), r.topic)
	r.check(err)
	c := r.pullConsumer("puller-" + r.group)
	r.check(c.Start())
	defer c.Shutdown()
	g := newGot()
	for _, queue := range queues {
		offset, last := int64(0), int64(1)
		for offset < last {
			result, err := c.PullFrom(context.Background(), queue, offset, 32)
			r.check(err)
			for _, m := range result.GetMessageExts() {
				if m.QueueOffset < offset || m.Queue.QueueId != queue.QueueId {
					r.fail("offset %d of queue %d came when %d of %d was asked for",
						m.QueueOffset, m.Queue.QueueId, offset, queue.QueueId)
				}
				g.add("puller", m)
			}
			if result.NextBeginOffset <= offset && result.MaxOffset > offset {
				r.fail("queue %d stands at %d of %d: %v", queue.QueueId, offset, result.MaxOffset, result)
			}
			offset, last = result.NextBeginOffset, result.MaxOffset
		}
		r.check(c.UpdateOffset(queue, offset))
	}
	r.wait(g, bodies)
	r.once(g)
	return fmt.Sprintf("%d queues", len(queues))
}

// What fails too often is a dead letter, and can be read as one.
func deadLetters(r *run) string {
	r.startProducer()
	r.sendSync([]string{"always fails", "fine"}, "")
	g := newGot()
	defer r.startConsumer(g, func(_ int, m *primitive.MessageExt) consumer.ConsumeResult {
		if string(m.Body) == "always fails" {
			return consumer.ConsumeRetryLater
		}
		return consumer.ConsumeSuccess
	}, everything, consumer.WithMaxReconsumeTimes(1)).Shutdown()
	dead := &run{topic: "%DLQ%" + r.group, group: "dead-" + r.group}
	began := time.Now()
	deadline := began.Add(*patience)
	for time.Now().Before(deadline) {
		g.mu.Lock()
		times := g.times["always fails"]
		g.mu.Unlock()
		if times >= 2 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(time.Second) // For the way back of its second failure.
	letters := newGot()
	defer dead.startConsumer(letters, nil, everything).Shutdown()
	dead.wait(letters, []string{"always fails"})
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.times["always fails"] != 2 || g.times["fine"] != 1 {
		r.fail("it came %d times, the other %d times", g.times["always fails"], g.times["fine"])
	}
	m := letters.last["always fails"]
	if m.GetKeys() != "key-always f" || m.GetProperty("own") != "property of always f" {
		r.fail("properties of the dead letter: %v", m.GetProperties())
	}
	if letters.times["always fails"] != 1 {
		r.fail("%d dead letters", letters.times["always fails"])
	}
	return fmt.Sprintf("dead after %v", time.Since(began).Round(100*time.Millisecond))
}

// One Message object sent again and again is as many messages, although all
// of them carry one unique key.
func again(r *run) string {
	r.startProducer()
	m := r.message("again")
	places := map[string]bool{}
	for n := 0; n < 5; n++ {
		result, err := r.producer.SendSync(context.Background(), m)
		r.check(err)
		places[fmt.Sprint(result.MessageQueue.QueueId, " ", result.QueueOffset)] = true
	}
	if len(places) != 5 {
		r.fail("5 sends are at %d places", len(places))
	}
	g := newGot()
	defer r.startConsumer(g, nil, everything).Shutdown()
	deadline := time.Now().Add(*patience)
	times := func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.times["again"]
	}
	for times() < 5 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(500 * time.Millisecond)
	if times() != 5 {
		r.fail("it came %d times, it was sent 5 times", times())
	}
	return ""
}
