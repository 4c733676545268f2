#include "broker/log_scan.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "message/codec.h"
#include "message/message.h"

namespace totora::broker {
namespace {

constexpr size_t kMessagesPerReply = 1000;

// Steps alternate: the group's executor looks up a page of index entries, the
// background executor reads the page's messages and writes them, and so on.
class LogScan : public std::enable_shared_from_this<LogScan> {
 public:
  LogScan(const HostedGroup& group, const admin::ScanLogRequest& request, GrpcCallPtr call)
      : group_(group), request_(request), call_(std::move(call)) {}

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
    // A client that reads slowly is waited for. The callback holds the scan;
    // the call drops it at its end.
    call_->OnWritable([self = shared_from_this()] { self->PostNextPage(); });
    NextPage();
  }

 private:
  struct Queue {
    std::string topic;
    uint32_t id;
    QueueOffset next;
    QueueOffset end;
  };

  void PostNextPage() {
    group_.executor->Post([self = shared_from_this()] { self->NextPage(); });
  }

  void NextPage() {
    if (call_->is_done()) return;
    if (at_ == queues_.size()) {
      admin::ScanLogReply last;
      last.set_applied_index(applied_.value());
      call_->Write(last.SerializeAsString());
      return call_->Finish();
    }
    Queue& queue = queues_[at_];
    const size_t count =
        std::min<size_t>(kMessagesPerReply, queue.end.value() - queue.next.value());
    absl::StatusOr<std::vector<store::QueueEntry>> entries =
        group_.state->Entries(queue.topic, queue.id, queue.next, count);
    if (!entries.ok()) {
      return call_->Finish(GrpcCode::kInternal, std::string(entries.status().message()));
    }
    queue.next = queue.next.Next(entries->size());
    Queue page = queue;
    if (queue.next >= queue.end || entries->empty()) ++at_;
    group_.background->Post([self = shared_from_this(), page = std::move(page),
                             entries = *std::move(entries)] { self->WritePage(page, entries); });
  }

  void WritePage(const Queue& queue, const std::vector<store::QueueEntry>& entries) {
    admin::ScanLogReply reply;
    for (const store::QueueEntry& entry : entries) {
      admin::ScannedMessage* out = reply.add_messages();
      out->set_topic(queue.topic);
      out->set_queue_id(queue.id);
      out->set_queue_offset(entry.offset.value());
      out->set_position(entry.position.value());
      out->set_size(entry.size);
      out->set_store_time_ms(entry.store_time_ms);
      const absl::StatusOr<std::string> bytes = group_.replica->Read(entry.position, entry.size);
      if (!bytes.ok()) {
        return call_->Finish(GrpcCode::kDataLoss, std::string(bytes.status().message()));
      }
      DescribeMessage(*bytes, out);
    }
    // Otherwise OnWritable goes on.
    if (call_->Write(reply.SerializeAsString())) PostNextPage();
  }

  static void DescribeMessage(const std::string& bytes, admin::ScannedMessage* out) {
    const absl::StatusOr<message::StoredMessageView> view =
        message::StoredMessageView::Parse(bytes);
    if (!view.ok()) return;
    const absl::string_view id = view->Property(message::kUniqueKeyProperty);
    out->set_message_id(id.data(), id.size());
    out->set_body_crc(view->body_crc());
  }

  const HostedGroup group_;
  const admin::ScanLogRequest request_;
  const GrpcCallPtr call_;
  LogIndex applied_;
  std::vector<Queue> queues_;
  size_t at_ = 0;
};

}  // namespace

void StartLogScan(const HostedGroup& group, const admin::ScanLogRequest& request,
                  GrpcCallPtr call) {
  auto scan = std::make_shared<LogScan>(group, request, std::move(call));
  group.executor->Post([scan = std::move(scan)] { scan->Begin(); });
}

}  // namespace totora::broker
