// `send` and `receive`, which the harness runs while it kills brokers: they
// obey and report, and judge nothing. Contract: README.md of the folder above.
'use strict';

const { Message } = require('ali-ons');
const { event, startProducer, makeConsumer, sleep } = require('./common');

// Resolves once the harness closes standard input.
const stopped = () => new Promise(resolve => process.stdin.resume().once('end', resolve));

// This client gives its messages no unique key, and a broker can tell a retry
// from a new message by nothing else. A program that wants its retries stored
// once adds the key itself, as this one does.
function message(topic, body, key) {
  const made = new Message(topic, body);
  made.properties.UNIQ_KEY = key;
  return made;
}

async function send(flags) {
  const topic = flags.topic;
  const seed = flags.seed;
  const untilAcked = Number(flags['until-acked'] || Infinity);
  const every = Number(flags['resend-every-ms'] || 0);
  const producer = await startProducer(flags.namesrv, `pg-${topic}`);
  let ended = false;
  stopped().then(() => { ended = true; });
  const resending = every > 0 ? resend(producer, topic, seed, every, () => ended) : null;
  event('ready');
  for (let index = 0, acked = 0; acked < untilAcked && !ended; index++) {
    const body = `m-${index}-${seed}`;
    const id = `${process.pid}-${body}`;
    try {
      await producer.send(message(topic, body, id));
      acked++;
      event('sent', { index, id, body });
    } catch (error) {
      event('send_failed', { index, error: String(error) });
    }
    await sleep(Number(flags['interval-ms'] || 0));
  }
  ended = true;
  await resending;
  await producer.close();
}

async function resend(producer, topic, seed, every, ended) {
  const id = `${process.pid}-again-${seed}`;
  const again = message(topic, `again-${seed}`, id);
  for (let n = 0, next = 0; !ended(); ) {
    if (Date.now() < next) {
      await sleep(20);
      continue;
    }
    const began = Date.now();
    next = began + every;
    try {
      const { msgId } = await producer.send(again);
      event('resent', { n, id, offset_id: msgId, took_ms: Date.now() - began });
    } catch (error) {
      event('resend_failed', { n, error: String(error) });
    }
    n++;
  }
}

async function receive(flags) {
  const topic = flags.topic;
  let ready = false;
  let last = 0;
  const consumer = makeConsumer(flags.namesrv, flags.group, text => {
    // Written at every queue that is added or removed; the table is the client's own.
    if (!consumer || !text.startsWith('[mq:consumer] ')) return;
    const held = [...consumer.processQueueTable.values()]
      .filter(item => item.messageQueue.topic === topic).length;
    if (held === last) return;
    last = held;
    event('queues', { count: held });
    if (!ready) event('ready');
    ready = true;
  });
  consumer.subscribe(topic, '*', async m => {
    event('received', {
      id: m.properties.UNIQ_KEY,
      body: m.body.toString(),
      reconsume: m.reconsumeTimes,
      queue: m.queueId,
      offset: Number(m.queueOffset),
    });
  });
  await stopped();
  await consumer.close();
}

module.exports = { send, receive };
