package main

import (
	"context"
	"fmt"
	"time"

	rmq "github.com/apache/rocketmq-clients/golang/v5"
	"github.com/apache/rocketmq-clients/golang/v5/credentials"
)

// grpc speaks the v2 protocol.
type grpc struct {
	endpoint string
}

func (g *grpc) config(group string) *rmq.Config {
	return &rmq.Config{Endpoint: g.endpoint, ConsumerGroup: group,
		Credentials: &credentials.SessionCredentials{}} // Mandatory, may be empty.
}

func (g *grpc) send(topic string, messages []message, after time.Duration) ([]string, error) {
	p, err := rmq.NewProducer(g.config(""), rmq.WithTopics(topic))
	if err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, err
	}
	defer p.GracefulStop()
	var ids []string
	for _, m := range messages {
		out := &rmq.Message{Topic: topic, Body: []byte(m.body)}
		if m.tag != "" {
			out.SetTag(m.tag)
		}
		if len(m.keys) > 0 {
			out.SetKeys(m.keys...)
		}
		for name, value := range m.properties {
			out.AddProperty(name, value)
		}
		if after > 0 {
			out.SetDelayTimestamp(time.Now().Add(after))
		}
		receipts, err := p.Send(context.Background(), out)
		if err != nil {
			return nil, err
		}
		if len(receipts) != 1 {
			return nil, fmt.Errorf("%d receipts for one message", len(receipts))
		}
		ids = append(ids, receipts[0].MessageID)
	}
	return ids, nil
}

func (g *grpc) receive(topic, group string, handle func(message) bool) (func(), error) {
	push, err := rmq.NewPushConsumer(g.config(group),
		rmq.WithPushAwaitDuration(5*time.Second),
		rmq.WithPushSubscriptionExpressions(map[string]*rmq.FilterExpression{topic: rmq.SUB_ALL}),
		rmq.WithPushMessageListener(&rmq.FuncMessageListener{
			Consume: func(m *rmq.MessageView) rmq.ConsumerResult {
				tag := ""
				if m.GetTag() != nil {
					tag = *m.GetTag()
				}
				if !handle(message{id: m.GetMessageId(), body: string(m.GetBody()), tag: tag, keys: m.GetKeys(),
					properties: m.GetProperties(), attempt: int(m.GetDeliveryAttempt())}) {
					return rmq.FAILURE
				}
				return rmq.SUCCESS
			},
		}))
	if err != nil {
		return nil, err
	}
	return func() { _ = push.GracefulStop() }, push.Start()
}
