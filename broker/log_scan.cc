#include "broker/log_scan.h"

#include <atomic>
#include <utility>
#include <vector>

#include "message/codec.h"
#include "message/message.h"

namespace totora::broker {
namespace {

constexpr size_t kMessagesPerReply = 1000;

// Steps alternate: the group's executor looks up a page of index entries, then
// the page's messages are read and written, and so on.
class LogScan : public grpc::ServerWriteReactor<admin::ScanLogReply> {
 public:
  LogScan(const HostedGroup& group, const admin::ScanLogRequest& request)
      : group_(group), request_(request) {
    group_.executor->Post([this] { Begin(); });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(grpc::Status::CANCELLED);
    group_.executor->Post([this] { NextPage(); });
  }
  void OnCancel() override { is_cancelled_ = true; }
  void OnDone() override { delete this; }

 private:
  struct Queue {
    std::string topic;
    uint32_t id;
    QueueOffset next;
    QueueOffset end;
  };

  void Begin() {
    applied_ = group_.state->applied();
    for (const store::TopicConfig& topic : group_.state->Topics()) {
      if (!request_.topic().empty() && request_.topic() != topic.name) continue;
      for (uint32_t id = 0; id < std::max(topic.read_queues, topic.write_queues); ++id) {
        const absl::StatusOr<store::QueueBounds> bounds = group_.state->Bounds(topic.name, id);
        if (!bounds.ok()) continue;
        const QueueOffset from = std::max(bounds->begin, QueueOffset(request_.from_offset()));
        if (from < bounds->end) queues_.push_back({topic.name, id, from, bounds->end});
      }
    }
    NextPage();
  }

  void NextPage() {
    if (is_cancelled_) return End(grpc::Status::CANCELLED);
    if (at_ == queues_.size()) {
      if (is_last_written_) return End(grpc::Status::OK);
      is_last_written_ = true;
      reply_.Clear();
      reply_.set_applied_index(applied_.value());
      return StartWrite(&reply_);
    }
    Queue& queue = queues_[at_];
    const size_t count =
        std::min<size_t>(kMessagesPerReply, queue.end.value() - queue.next.value());
    absl::StatusOr<std::vector<store::QueueEntry>> entries =
        group_.state->Entries(queue.topic, queue.id, queue.next, count);
    if (!entries.ok()) {
      return End(grpc::Status(grpc::StatusCode::INTERNAL, std::string(entries.status().message())));
    }
    queue.next = queue.next.Next(entries->size());
    const Queue page = queue;
    if (queue.next >= queue.end || entries->empty()) ++at_;
    WritePage(page, *entries);
  }

  void WritePage(const Queue& queue, const std::vector<store::QueueEntry>& entries) {
    reply_.Clear();
    for (const store::QueueEntry& entry : entries) {
      admin::ScannedMessage* out = reply_.add_messages();
      out->set_topic(queue.topic);
      out->set_queue_id(queue.id);
      out->set_queue_offset(entry.offset.value());
      out->set_position(entry.position.value());
      out->set_size(entry.size);
      out->set_store_time_ms(entry.store_time_ms);
      const absl::StatusOr<std::string> bytes =
          group_.replica->Read(entry.position, entry.size);
      if (!bytes.ok()) {
        return End(grpc::Status(grpc::StatusCode::DATA_LOSS, std::string(bytes.status().message())));
      }
      DescribeMessage(*bytes, out);
    }
    StartWrite(&reply_);
  }

  static void DescribeMessage(const std::string& bytes, admin::ScannedMessage* out) {
    const absl::StatusOr<message::StoredMessageView> view =
        message::StoredMessageView::Parse(bytes);
    if (!view.ok()) return;
    const absl::string_view id = view->Property(message::kUniqueKeyProperty);
    out->set_message_id(id.data(), id.size());
    out->set_body_crc(view->body_crc());
  }

  void End(const grpc::Status& status) {
    if (!std::exchange(has_ended_, true)) Finish(status);
  }

  const HostedGroup group_;
  const admin::ScanLogRequest request_;
  std::atomic<bool> is_cancelled_{false};
  bool has_ended_ = false;
  bool is_last_written_ = false;
  LogIndex applied_;
  std::vector<Queue> queues_;
  size_t at_ = 0;
  admin::ScanLogReply reply_;
};

class Refusal : public grpc::ServerWriteReactor<admin::ScanLogReply> {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerWriteReactor<admin::ScanLogReply>* StartLogScan(const HostedGroup& group,
                                                            const admin::ScanLogRequest& request) {
  return new LogScan(group, request);
}

grpc::ServerWriteReactor<admin::ScanLogReply>* RefuseLogScan(const grpc::Status& status) {
  return new Refusal(status);
}

}  // namespace totora::broker
