// totora send | receive
#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/context.h"
#include "cli/output.h"
#include "client/producer.h"
#include "client/simple_consumer.h"
#include "common/status.h"

namespace totora::cli {
namespace {

using Json = nlohmann::ordered_json;

struct MessageArguments {
  std::string topic;
  std::string body;
  std::string tag;
  std::vector<std::string> keys;
  std::vector<std::string> properties;
  std::string message_group;
  std::string delay;
  int count = 1;
  std::string consumer_group;
  std::string tags = "*";
  std::string wait = "5s";
  std::string invisible = "30s";
  bool leaves_unacknowledged = false;
};

void PrintJson(const Json& json) {
  std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

bool IsUtf8(const std::string& text) {
  const Json json = text;
  // dump() refuses invalid UTF-8; with `ignore` it comes back shorter.
  return json.dump(-1, ' ', false, Json::error_handler_t::ignore) ==
         json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::Status Send(const Context& context, const MessageArguments& a) {
  TOTORA_ASSIGN_OR_RETURN(const std::string endpoint, context.PublicEndpoint());
  client::OutgoingMessage message{.topic = a.topic, .body = a.body};
  message.tag = a.tag;
  message.keys = a.keys;
  message.message_group = a.message_group;
  for (const std::string& pair : a.properties) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("--property takes KEY=VALUE, not ", pair));
    }
    message.properties[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  if (!a.delay.empty()) {
    TOTORA_ASSIGN_OR_RETURN(const absl::Duration delay, ParseDurationText(a.delay));
    message.delivery_time = absl::Now() + delay;
  }
  client::ProducerOptions options;
  options.client.access_point = endpoint;
  options.client.request_timeout = context.timeout();
  options.topics = {a.topic};
  TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<client::Producer> producer,
                          client::Producer::Start(options));
  const auto send_one = [&](const std::string& body) -> absl::Status {
    message.body = body;
    const client::SendReceipt receipt = producer->Send(message);
    TOTORA_RETURN_IF_ERROR(receipt.status);
    if (context.json()) {
      Json json = {{"message_id", receipt.message_id}, {"queue_offset", receipt.queue_offset}};
      if (!receipt.recall_handle.empty()) json["recall_handle"] = receipt.recall_handle;
      if (!receipt.transaction_id.empty()) json["transaction_id"] = receipt.transaction_id;
      PrintJson(json);
    } else {
      std::printf("%s  offset %ld\n", receipt.message_id.c_str(),
                  static_cast<long>(receipt.queue_offset));
    }
    return absl::OkStatus();
  };
  if (!a.body.empty()) {
    for (int i = 0; i < a.count; ++i) TOTORA_RETURN_IF_ERROR(send_one(a.body));
    return absl::OkStatus();
  }
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty()) TOTORA_RETURN_IF_ERROR(send_one(line));
  }
  return absl::OkStatus();
}

void Print(const Context& context, const client::ReceivedMessage& message) {
  if (!context.json()) {
    std::printf("%s  queue %d offset %ld attempt %d%s%s\n%s\n", message.message_id.c_str(),
                message.queue_id, static_cast<long>(message.queue_offset), message.delivery_attempt,
                message.tag.empty() ? "" : "  tag ", message.tag.c_str(), message.body.c_str());
    return;
  }
  Json json = {{"topic", message.topic},
               {"queue_id", message.queue_id},
               {"queue_offset", message.queue_offset},
               {"message_id", message.message_id},
               {"delivery_attempt", message.delivery_attempt},
               {"tag", message.tag},
               {"keys", message.keys},
               {"properties", message.properties},
               {"message_group", message.message_group},
               {"born_time_ms", absl::ToUnixMillis(message.born_time)},
               {"store_time_ms", absl::ToUnixMillis(message.store_time)},
               {"receipt_handle", message.receipt_handle}};
  if (IsUtf8(message.body)) {
    json["body"] = message.body;
  } else {
    json["body_base64"] = absl::Base64Escape(message.body);
  }
  PrintJson(json);
}

absl::Status Receive(const Context& context, const MessageArguments& a) {
  TOTORA_ASSIGN_OR_RETURN(const std::string endpoint, context.PublicEndpoint());
  TOTORA_ASSIGN_OR_RETURN(const absl::Duration wait, ParseDurationText(a.wait));
  TOTORA_ASSIGN_OR_RETURN(const absl::Duration invisible, ParseDurationText(a.invisible));
  client::SimpleConsumerOptions options;
  options.client.access_point = endpoint;
  options.client.request_timeout = context.timeout();
  options.consumer_group = a.consumer_group;
  options.topics = {a.topic};
  options.tag_expression = a.tags;
  options.await = wait;
  TOTORA_ASSIGN_OR_RETURN(const std::unique_ptr<client::SimpleConsumer> consumer,
                          client::SimpleConsumer::Start(options));
  int received = 0;
  while (received < a.count) {
    TOTORA_ASSIGN_OR_RETURN(const std::vector<client::ReceivedMessage> messages,
                            consumer->Receive(std::min(32, a.count - received), invisible));
    if (messages.empty()) break;
    for (const client::ReceivedMessage& message : messages) Print(context, message);
    received += static_cast<int>(messages.size());
    if (a.leaves_unacknowledged) continue;
    for (const absl::Status& status : consumer->Ack(messages)) TOTORA_RETURN_IF_ERROR(status);
  }
  if (received > 0) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("no message came within ", absl::FormatDuration(wait)));
}

}  // namespace

void AddMessageCommands(CLI::App* app, Context* context) {
  const auto a = std::make_shared<MessageArguments>();
  CLI::App* command = app->add_subcommand("send", "send messages; without --body, lines of input");
  command->fallthrough();
  command->add_option("--topic,-t", a->topic)->required();
  command->add_option("--body,-b", a->body);
  command->add_option("--count,-n", a->count, "send the body so many times")
      ->check(CLI::PositiveNumber);
  command->add_option("--tag", a->tag);
  command->add_option("--key", a->keys)->allow_extra_args(false);
  command->add_option("--property", a->properties, "KEY=VALUE")->allow_extra_args(false);
  command->add_option("--message-group", a->message_group, "makes a FIFO message");
  command->add_option("--delay", a->delay, "makes a DELAY message, e.g. 30s");
  command->callback([=] { context->End(Send(*context, *a)); });

  command = app->add_subcommand("receive", "receive messages and acknowledge them");
  command->fallthrough();
  command->add_option("--topic,-t", a->topic)->required();
  command->add_option("--consumer-group,-g", a->consumer_group)->required();
  command->add_option("--count,-n", a->count, "messages at most")->check(CLI::PositiveNumber);
  command->add_option("--tags", a->tags, "\"*\", or tags joined by ||");
  command->add_option("--wait", a->wait, "for a message to come");
  command->add_option("--invisible", a->invisible, "how long others do not see what we got");
  command->add_flag("--no-ack", a->leaves_unacknowledged, "let the leases run out");
  command->callback([=] { context->End(Receive(*context, *a)); });
}

}  // namespace totora::cli
