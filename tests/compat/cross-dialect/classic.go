package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// classic speaks the remoting protocol.
type classic struct {
	namesrv   string
	instances atomic.Int32
}

func (c *classic) resolver() primitive.NsResolver {
	return primitive.NewPassthroughResolver([]string{c.namesrv})
}

func (c *classic) instance() string { return fmt.Sprintf("cross-%d", c.instances.Add(1)) }

func (c *classic) send(topic string, messages []message, after time.Duration) ([]string, error) {
	p, err := rocketmq.NewProducer(producer.WithNsResolver(c.resolver()),
		producer.WithGroupName("pg-"+topic), producer.WithInstanceName(c.instance()))
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	defer p.Shutdown()
	var ids []string
	for _, m := range messages {
		out := primitive.NewMessage(topic, []byte(m.body))
		if m.tag != "" {
			out.WithTag(m.tag)
		}
		if len(m.keys) > 0 {
			out.WithKeys(m.keys)
		}
		for name, value := range m.properties {
			out.WithProperty(name, value)
		}
		if after == delay {
			out.WithDelayTimeLevel(2)
		}
		result, err := p.SendSync(context.Background(), out)
		if err != nil {
			return nil, err
		}
		ids = append(ids, result.MsgID)
	}
	return ids, nil
}

func (c *classic) receive(topic, group string, handle func(message) bool) (func(), error) {
	push, err := rocketmq.NewPushConsumer(consumer.WithNsResolver(c.resolver()),
		consumer.WithGroupName(group), consumer.WithInstance(c.instance()),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
		consumer.WithMaxReconsumeTimes(1))
	if err != nil {
		return nil, err
	}
	err = push.Subscribe(topic, consumer.MessageSelector{},
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, m := range messages {
				var keys []string
				if m.GetKeys() != "" {
					keys = strings.Split(m.GetKeys(), " ")
				}
				if !handle(message{id: m.MsgId, body: string(m.Body), tag: m.GetTags(), keys: keys,
					properties: m.GetProperties(), attempt: int(m.ReconsumeTimes) + 1}) {
					return consumer.ConsumeRetryLater, nil
				}
			}
			return consumer.ConsumeSuccess, nil
		})
	if err != nil {
		return nil, err
	}
	return func() { _ = push.Shutdown() }, push.Start()
}
