// Drives the classic Node client, unmodified.
//   list                                the names of the scenarios
//   scenarios --namesrv A --prefix P    runs them; each has its topic P-NAME,
//                                       which must exist, with 4 queues or more
//   send, receive                       kill.js
'use strict';

const { Message, Consumer } = require('ali-ons');
const { event, parseFlags, startProducer, makeConsumer, sleep } = require('./common');
const kill = require('./kill');

const PATIENCE_MS = 60000;

function check(fine, text) {
  if (!fine) throw new Error(text);
}

// What consumers got, by body.
class Got {
  constructor() {
    this.times = new Map();
    this.last = new Map();
    this.when = new Map();
    this.by = new Map();
  }

  add(who, message) {
    const body = message.body.toString();
    this.times.set(body, (this.times.get(body) || 0) + 1);
    this.last.set(body, message);
    this.when.set(body, Date.now());
    this.by.set(who, (this.by.get(who) || 0) + 1);
    return this.times.get(body);
  }

  async wait(bodies, once = true) {
    const deadline = Date.now() + PATIENCE_MS;
    while (this.times.size < bodies.length && Date.now() < deadline) await sleep(20);
    await sleep(500); // What comes too often comes soon.
    const missing = bodies.filter(body => !this.times.has(body));
    check(!missing.length, `${missing.length} of ${bodies.length} did not come, among them ${missing[0]}`);
    check(this.times.size === bodies.length, `${this.times.size} came, ${bodies.length} were expected`);
    if (!once) return;
    for (const [ body, times ] of this.times) check(times === 1, `${body.slice(0, 40)} came ${times} times`);
  }
}

// One scenario's clients, closed at its end.
class Stage {
  constructor(namesrv, prefix, name) {
    this.namesrv = namesrv;
    this.topic = `${prefix}-${name}`;
    this.group = `g-${prefix}-${name}`;
    this.open = [];
  }

  async producer() {
    const producer = await startProducer(this.namesrv, `p-${this.group}`);
    this.open.push(producer);
    return producer;
  }

  // `handle(message, times)` may return Consumer.ACTION_RETRY.
  consumer(got, { tags = '*', handle, ...more } = {}) {
    const instanceName = `${process.pid}-${this.group}-${this.open.length}`;
    const consumer = makeConsumer(this.namesrv, this.group, null, { instanceName, ...more });
    this.open.push(consumer);
    consumer.subscribe(this.topic, tags, async message => {
      const times = got.add(instanceName, message);
      return handle ? handle(message, times) : undefined;
    });
    return consumer;
  }

  async close(client) {
    this.open = this.open.filter(other => other !== client);
    await client.close();
  }

  async end() {
    for (const client of this.open.reverse()) await client.close();
  }
}

function numbered(prefix, count) {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
}

async function sendAll(producer, topic, bodies, tag, keys) {
  for (const body of bodies) {
    const message = tag ? new Message(topic, tag, body) : new Message(topic, body);
    if (keys) message.keys = [ `key-${body}` ];
    message.properties.own = `property of ${body.slice(0, 8)}`;
    const result = await producer.send(message);
    check(result.sendStatus === 'SEND_OK' && /^[0-9A-F]{32}$/.test(result.msgId),
      `sent: ${JSON.stringify(result)}`);
  }
}

const scenarios = {
  // A message that failed comes again after ten seconds, with one reconsume time.
  async retry(stage) {
    const got = new Got();
    const producer = await stage.producer();
    await sendAll(producer, stage.topic, [ 'fails once' ]);
    let first;
    stage.consumer(got, {
      handle(_, times) {
        if (times > 1) return undefined;
        first = Date.now();
        return Consumer.ACTION_RETRY;
      },
    });
    await got.wait([ 'fails once' ], false);
    const deadline = Date.now() + PATIENCE_MS;
    while (got.times.get('fails once') < 2 && Date.now() < deadline) await sleep(50);
    await sleep(500);
    const took = got.when.get('fails once') - first;
    const times = got.last.get('fails once').reconsumeTimes;
    check(got.times.get('fails once') === 2, `it came ${got.times.get('fails once')} times`);
    check(times === 1 && took >= 9000, `again after ${took} ms with ${times} reconsume times`);
    return `again after ${(took / 1000).toFixed(1)} s`;
  },

  // Two consumers share the queues; when one leaves the other gets all.
  async rebalance(stage) {
    const got = new Got();
    const producer = await stage.producer();
    const one = stage.consumer(got);
    stage.consumer(got);
    await sleep(12000); // This client looks every 10 s.
    const shared = numbered('shared', 100);
    await sendAll(producer, stage.topic, shared);
    await got.wait(shared);
    check(got.by.size === 2, `${got.by.size} of two consumers got messages`);
    await stage.close(one);
    const rest = numbered('rest', 100);
    await sendAll(producer, stage.topic, rest);
    await got.wait(shared.concat(rest));
    return '';
  },

  async content(stage) {
    const got = new Got();
    const producer = await stage.producer();
    const bodies = numbered('body', 200);
    const began = Date.now();
    await sendAll(producer, stage.topic, bodies, 'red', true);
    const took = Date.now() - began;
    stage.consumer(got);
    await got.wait(bodies);
    const m = got.last.get('body-7');
    check(m.tags === 'red' && m.keys === 'key-body-7' && m.properties.own === 'property of body-7',
      `properties: ${JSON.stringify(m.properties)}`);
    return `${bodies.length} sends, ${(took / bodies.length).toFixed(2)} ms each`;
  },

  async large(stage) { // Bodies that the client packs.
    const got = new Got();
    const producer = await stage.producer();
    const bodies = [ 'a'.repeat(5000), 'body '.repeat(100000), 'small' ];
    await sendAll(producer, stage.topic, bodies);
    stage.consumer(got);
    await got.wait(bodies);
    return '';
  },

  async tags(stage) {
    const got = new Got();
    const producer = await stage.producer();
    const wanted = numbered('a', 50).concat(numbered('b', 50));
    await sendAll(producer, stage.topic, wanted.slice(0, 50), 'a');
    await sendAll(producer, stage.topic, numbered('c', 50), 'c');
    await sendAll(producer, stage.topic, wanted.slice(50), 'b');
    stage.consumer(got, { tags: 'a || b' });
    await got.wait(wanted);
    return '';
  },

  async offsets(stage) { // Whoever comes back goes on where the group was.
    const got = new Got();
    const producer = await stage.producer();
    const before = numbered('before', 100);
    await sendAll(producer, stage.topic, before);
    const one = stage.consumer(got);
    await got.wait(before);
    await stage.close(one);
    const after = numbered('after', 100);
    await sendAll(producer, stage.topic, after);
    const again = new Got();
    stage.consumer(again);
    await again.wait(after);
    return '';
  },

  async broadcast(stage) {
    const a = new Got();
    const b = new Got();
    const producer = await stage.producer();
    const bodies = numbered('all', 50);
    await sendAll(producer, stage.topic, bodies);
    stage.consumer(a, { isBroadcast: true });
    stage.consumer(b, { isBroadcast: true });
    await a.wait(bodies);
    await b.wait(bodies);
    return '';
  },

  async delay(stage) {
    const got = new Got();
    const producer = await stage.producer();
    stage.consumer(got);
    const message = new Message(stage.topic, 'five seconds');
    message.delayTimeLevel = 2;
    const sent = Date.now();
    await producer.send(message);
    await got.wait([ 'five seconds' ]);
    const took = got.when.get('five seconds') - sent;
    check(took >= 5000 && took < 8000, `level 2 came after ${took} ms`);
    return `level 2 after ${(took / 1000).toFixed(1)} s`;
  },
};

async function perform(name, flags) {
  const stage = new Stage(flags.namesrv, flags.prefix, name);
  const began = Date.now();
  let line;
  try {
    line = [ 'ok', await scenarios[name](stage) ];
  } catch (error) {
    line = [ 'FAILED', error.message ];
  }
  const took = `${((Date.now() - began) / 1000).toFixed(1)}s`;
  console.log(`${line[0].padEnd(6)} ${name.padEnd(12)} ${took} ${line[1]}`);
  await stage.end();
  return line[0] === 'ok';
}

async function main([ command, ...words ]) {
  const flags = parseFlags(words);
  switch (command) {
    case 'list':
      console.log(Object.keys(scenarios).join('\n'));
      return true;
    case 'scenarios': {
      const all = await Promise.all(Object.keys(scenarios).map(name => perform(name, flags)));
      return all.every(Boolean);
    }
    case 'send':
    case 'receive':
      await kill[command](flags);
      event('done');
      return true;
    default:
      throw new Error('commands: list, scenarios, send, receive');
  }
}

// The client's timers would keep the process for half a minute.
main(process.argv.slice(2)).then(fine => process.exit(fine ? 0 : 1), error => {
  console.error(error);
  process.exit(1);
});
