// What the two halves of the program share: events, flags, clients.
'use strict';

const util = require('util');
const { Consumer, Producer } = require('ali-ons');
const From = require('ali-ons/lib/consumer/consume_from_where');

function event(name, more) {
  process.stdout.write(JSON.stringify({ event: name, ms: Date.now(), ...more }) + '\n');
}

// --name value --other-name value → { name, 'other-name' }
function parseFlags(words) {
  const flags = {};
  for (let i = 0; i < words.length; i += 2) {
    if (!words[i].startsWith('--') || words[i + 1] === undefined) {
      throw new Error(`not a flag with a value: ${words[i]}`);
    }
    flags[words[i].slice(2)] = words[i + 1];
  }
  return flags;
}

// With `nameSrv` the HTTP client is demanded and never used.
const httpclient = {
  request() {
    throw new Error('nobody should ask for name servers by HTTP');
  },
};

// The client's logger; `look` sees every line that it writes.
function logger(look) {
  const write = (level, loud) => (...words) => {
    const text = util.format(...words);
    if (look) look(text);
    if (loud) process.stderr.write(`${new Date().toISOString()} ${level} ${text}\n`);
  };
  return { debug() {}, info: write('info', false), warn: write('warn', true), error: write('error', true) };
}

async function startProducer(nameSrv, producerGroup) {
  const producer = new Producer({ nameSrv, producerGroup, httpclient, logger: logger() });
  producer.on('error', error => process.stderr.write(`producer: ${error.stack}\n`));
  await producer.ready();
  return producer;
}

// `instanceName`: for several clients in one process.
function makeConsumer(nameSrv, consumerGroup, look, more) {
  const consumer = new Consumer({
    nameSrv,
    consumerGroup,
    httpclient,
    logger: logger(look),
    consumeFromWhere: From.CONSUME_FROM_FIRST_OFFSET,
    ...more,
  });
  consumer.on('error', error => process.stderr.write(`consumer: ${error.stack}\n`));
  return consumer;
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

module.exports = { event, parseFlags, startProducer, makeConsumer, sleep };
