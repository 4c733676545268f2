#include "client/fake_broker.h"

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace totora::client {
namespace v2 = apache::rocketmq::v2;

FakeBroker::FakeBroker() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  TOTORA_CHECK(server_ != nullptr && port_ != 0);
}

FakeBroker::~FakeBroker() {
  // Streams of clients that are still there are cancelled, not waited for.
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::string FakeBroker::address() const { return absl::StrCat("127.0.0.1:", port_); }

void FakeBroker::NextSends(std::vector<int> fates) {
  MutexLock lock(&mu_);
  fates_.assign(fates.begin(), fates.end());
}

std::vector<std::string> FakeBroker::arrivals() const {
  MutexLock lock(&mu_);
  return arrivals_;
}

size_t FakeBroker::stored() const {
  MutexLock lock(&mu_);
  return stored_.size();
}

size_t FakeBroker::terminations() const {
  MutexLock lock(&mu_);
  return terminations_;
}

std::string FakeBroker::last_client_id() const {
  MutexLock lock(&mu_);
  return last_client_id_;
}

std::string FakeBroker::last_body() const {
  MutexLock lock(&mu_);
  return last_body_;
}

grpc::Status FakeBroker::QueryRoute(Context*, const v2::QueryRouteRequest* request,
                                    v2::QueryRouteResponse* response) {
  if (!has_topic) {
    response->mutable_status()->set_code(v2::TOPIC_NOT_FOUND);
    return grpc::Status::OK;
  }
  response->mutable_status()->set_code(v2::OK);
  for (int i = 0; i < 2; ++i) {
    v2::MessageQueue* queue = response->add_message_queues();
    *queue->mutable_topic() = request->topic();
    queue->set_id(i);
    queue->set_permission(v2::READ_WRITE);
    queue->mutable_broker()->set_name("broker-a");
    queue->mutable_broker()->mutable_endpoints()->set_scheme(v2::IPv4);
    v2::Address* address = queue->mutable_broker()->mutable_endpoints()->add_addresses();
    address->set_host("127.0.0.1");
    address->set_port(port_);
  }
  return grpc::Status::OK;
}

grpc::Status FakeBroker::SendMessage(Context* context, const v2::SendMessageRequest* request,
                                     v2::SendMessageResponse* response) {
  MutexLock lock(&mu_);
  const auto client_id = context->client_metadata().find("x-mq-client-id");
  if (client_id != context->client_metadata().end()) {
    last_client_id_.assign(client_id->second.data(), client_id->second.size());
  }
  int fate = 0;
  if (!fates_.empty()) {
    fate = fates_.front();
    fates_.pop_front();
  }
  for (const v2::Message& message : request->messages()) {
    const std::string& id = message.system_properties().message_id();
    arrivals_.push_back(id);
    last_body_ = message.body();
    v2::SendResultEntry* entry = response->add_entries();
    entry->set_message_id(id);
    entry->mutable_status()->set_code(fate > 0 ? static_cast<v2::Code>(fate) : v2::OK);
    if (fate > 0 || fate == -1) continue;
    if (stored_.emplace(id, message).second) to_deliver_.push_back(id);
    entry->set_offset(static_cast<int64_t>(stored_.size()) - 1);
  }
  response->mutable_status()->set_code(fate > 0 ? static_cast<v2::Code>(fate) : v2::OK);
  return fate < 0 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "told to fail") : grpc::Status::OK;
}

grpc::Status FakeBroker::ReceiveMessage(Context*, const v2::ReceiveMessageRequest* request,
                                        Writer<v2::ReceiveMessageResponse>* writer) {
  MutexLock lock(&mu_);
  v2::ReceiveMessageResponse part;
  part.mutable_status()->set_code(to_deliver_.empty() ? v2::MESSAGE_NOT_FOUND : v2::OK);
  writer->Write(part);
  for (int i = 0; i < request->batch_size() && !to_deliver_.empty(); ++i) {
    v2::Message message = stored_.at(to_deliver_.front());
    const std::string handle = absl::StrCat("handle of ", to_deliver_.front());
    message.mutable_system_properties()->set_receipt_handle(handle);
    message.mutable_system_properties()->set_delivery_attempt(1);
    leased_.insert(handle);
    to_deliver_.pop_front();
    *part.mutable_message() = message;
    writer->Write(part);
  }
  return grpc::Status::OK;
}

grpc::Status FakeBroker::AckMessage(Context*, const v2::AckMessageRequest* request,
                                    v2::AckMessageResponse* response) {
  MutexLock lock(&mu_);
  for (const v2::AckMessageEntry& entry : request->entries()) {
    v2::AckMessageResultEntry* result = response->add_entries();
    const bool known = leased_.erase(entry.receipt_handle()) > 0;
    result->mutable_status()->set_code(known ? v2::OK : v2::INVALID_RECEIPT_HANDLE);
  }
  response->mutable_status()->set_code(v2::MULTIPLE_RESULTS);
  return grpc::Status::OK;
}

grpc::Status FakeBroker::ChangeInvisibleDuration(Context*,
                                                 const v2::ChangeInvisibleDurationRequest* request,
                                                 v2::ChangeInvisibleDurationResponse* response) {
  MutexLock lock(&mu_);
  if (leased_.erase(request->receipt_handle()) == 0) {
    response->mutable_status()->set_code(v2::INVALID_RECEIPT_HANDLE);
    return grpc::Status::OK;
  }
  response->mutable_status()->set_code(v2::OK);
  response->set_receipt_handle(absl::StrCat("new ", request->receipt_handle()));
  leased_.insert(response->receipt_handle());
  return grpc::Status::OK;
}

grpc::Status FakeBroker::Telemetry(
    Context*, grpc::ServerReaderWriter<v2::TelemetryCommand, v2::TelemetryCommand>* stream) {
  v2::TelemetryCommand command;
  while (stream->Read(&command)) {
    if (!command.has_settings()) continue;
    if (!answers_telemetry) {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "settings refused");
    }
    command.mutable_status()->set_code(v2::OK);
    stream->Write(command);
  }
  return grpc::Status::OK;
}

grpc::Status FakeBroker::NotifyClientTermination(Context*,
                                                 const v2::NotifyClientTerminationRequest*,
                                                 v2::NotifyClientTerminationResponse* response) {
  MutexLock lock(&mu_);
  ++terminations_;
  response->mutable_status()->set_code(v2::OK);
  return grpc::Status::OK;
}

}  // namespace totora::client
