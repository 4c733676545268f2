#include "bench/classic_bench.h"

#include <unistd.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/classic_fleet.h"
#include "bench/classic_frames.h"
#include "common/clock.h"
#include "common/status.h"
#include "remoting/fields.h"
#include "remoting/frame.h"
#include "remoting/header/pull.h"
#include "remoting/request_code.h"
#include "remoting/response_code.h"

namespace totora::bench {
namespace {

using remoting::Command;
using remoting::ResponseCode;

// What clients wait for an answer, beyond what the server may hold it.
constexpr absl::Duration kTimeout = absl::Seconds(3);

remoting::Serializer SerializerOf(const ClientBenchOptions& options) {
  return options.has_json_headers ? remoting::Serializer::kJson : remoting::Serializer::kCompact;
}

absl::Status RefusalIn(const Command& answer) {
  return absl::UnavailableError(absl::StrCat("code ", answer.code, ": ", answer.remark));
}

// --- Send ---------------------------------------------------------------------

class Sending {
 public:
  Sending(ClassicFleet* fleet, size_t clients, ClassicSendTemplate message)
      : fleet_(*fleet),
        clients_(clients),
        message_(std::move(message)),
        ids_(std::random_device()()) {}

  // Any thread.
  void Start(size_t slot, LoadLoop::Done done) {
    if (!fleet_.loop()->IsCurrent()) {
      fleet_.loop()->Post(
          [this, slot, done = std::move(done)]() mutable { Start(slot, std::move(done)); });
      return;
    }
    const ClassicFleet::Queue& queue = fleet_.queues()[next_++ % fleet_.queues().size()];
    ClassicConnection* const connection = fleet_.At(slot % clients_, queue.broker);
    const int32_t opaque = connection->NextOpaque();
    connection->Call(
        opaque, message_.Frame(queue.id, opaque, WallMillis(*Clock::System()), &ids_), kTimeout,
        [this, done = std::move(done)](const absl::StatusOr<Command>& answer) mutable {
          done(Outcome(answer));
        });
  }

 private:
  LoadLoop::Outcome Outcome(const absl::StatusOr<Command>& answer) {
    if (answer.ok() && answer->code == static_cast<int32_t>(ResponseCode::kSuccess)) {
      return {.messages = message_.batch()};
    }
    fleet_.LookAgain();
    return {.errors = message_.batch(),
            .first_error = answer.ok() ? RefusalIn(*answer) : answer.status()};
  }

  ClassicFleet& fleet_;
  const size_t clients_;
  const ClassicSendTemplate message_;
  // Confined to the loop.
  UniqueIds ids_;
  size_t next_ = 0;
};

// --- Pull ---------------------------------------------------------------------

class Pulling {
 public:
  Pulling(ClassicFleet* fleet, const ClientBenchOptions& options)
      : fleet_(*fleet), options_(options) {
    for (const ClassicFleet::Queue& queue : fleet_.queues()) {
      free_.push_back(cursors_.size());
      cursors_.push_back({queue});
    }
  }

  // Any thread.
  void Start(size_t slot, LoadLoop::Done done) {
    if (!fleet_.loop()->IsCurrent()) {
      fleet_.loop()->Post(
          [this, slot, done = std::move(done)]() mutable { Start(slot, std::move(done)); });
      return;
    }
    if (free_.empty()) {  // Some queues have ended; others are being pulled.
      idle_.push_back(std::move(done));
      return EndIfNothingIsLeft();
    }
    const size_t at = free_.front();
    free_.pop_front();
    const Cursor& cursor = cursors_[at];
    ClassicConnection* const connection =
        fleet_.At(slot % options_.clients, cursor.queue.broker);
    const int32_t opaque = connection->NextOpaque();
    absl::StatusOr<std::string> frame = Frame(cursor, opaque);
    if (!frame.ok()) {
      free_.push_back(at);
      done({.errors = 1, .first_error = frame.status()});
      return;
    }
    connection->Call(
        opaque, *std::move(frame), kTimeout + Hold(),
        [this, at, done = std::move(done)](const absl::StatusOr<Command>& answer) mutable {
          LoadLoop::Outcome outcome = Take(answer, &cursors_[at]);
          if (!cursors_[at].has_ended) free_.push_back(at);
          done(std::move(outcome));
          EndIfNothingIsLeft();
        });
  }

 private:
  struct Cursor {
    ClassicFleet::Queue queue;
    int64_t offset = 0;
    bool has_ended = false;
  };

  absl::Duration Hold() const {
    return options_.until_empty ? absl::ZeroDuration() : options_.await;
  }

  absl::StatusOr<std::string> Frame(const Cursor& cursor, int32_t opaque) const {
    remoting::PullMessageRequest request;
    request.consumer_group = options_.consumer_group;
    request.topic = options_.topic;
    request.queue_id = cursor.queue.id;
    request.queue_offset = cursor.offset;
    request.max_message_nums = static_cast<int32_t>(options_.batch);
    request.sys_flag = remoting::kPullSubscription;
    if (cursor.offset > 0) request.sys_flag |= remoting::kPullCommitOffset;
    if (Hold() > absl::ZeroDuration()) request.sys_flag |= remoting::kPullSuspend;
    request.commit_offset = cursor.offset;
    request.suspend_timeout_millis = absl::ToInt64Milliseconds(Hold());
    request.subscription = "*";
    request.expression_type = "TAG";
    remoting::FieldBuffer fields;
    remoting::WriteFields(request, &fields);
    std::string frame;
    TOTORA_RETURN_IF_ERROR(remoting::AppendFrameHead(
        {.code = static_cast<int32_t>(remoting::RequestCode::kPullMessage),
         .opaque = opaque,
         .serializer = SerializerOf(options_)},
        fields, 0, &frame));
    return frame;
  }

  LoadLoop::Outcome Take(const absl::StatusOr<Command>& answer, Cursor* cursor) {
    const auto failed = [this](absl::Status status) -> LoadLoop::Outcome {
      fleet_.LookAgain();
      return {.errors = 1, .first_error = std::move(status)};
    };
    if (!answer.ok()) return failed(answer.status());
    const auto next = answer->fields.Find("nextBeginOffset");
    int64_t offset = 0;
    const bool has_next = next.has_value() && remoting::ParseJava(*next, &offset);
    switch (static_cast<ResponseCode>(answer->code)) {
      case ResponseCode::kSuccess: {
        const absl::StatusOr<uint64_t> count = CountStoredMessages(answer->body.view());
        if (!count.ok()) return failed(count.status());
        if (!has_next) return failed(absl::DataLossError("an answer without the next offset"));
        cursor->offset = offset;
        return {.messages = *count};
      }
      case ResponseCode::kPullNotFound:
        cursor->has_ended = options_.until_empty;
        return {};
      case ResponseCode::kPullRetryImmediately:
      case ResponseCode::kPullOffsetMoved:
        // A queue without a message may say so, too.
        cursor->has_ended = options_.until_empty && has_next && offset == cursor->offset;
        if (has_next) cursor->offset = offset;
        return {};
      default:
        return failed(RefusalIn(*answer));
    }
  }

  void EndIfNothingIsLeft() {
    const bool over = std::all_of(cursors_.begin(), cursors_.end(),
                                  [](const Cursor& cursor) { return cursor.has_ended; });
    if (!over) return;
    for (LoadLoop::Done& done : std::exchange(idle_, {})) done({.is_last = true});
  }

  ClassicFleet& fleet_;
  const ClientBenchOptions options_;
  // Confined to the loop.
  std::vector<Cursor> cursors_;
  std::deque<size_t> free_;  // Not ended, and not being pulled.
  std::vector<LoadLoop::Done> idle_;
};

absl::StatusOr<std::unique_ptr<ClassicFleet>> StartFleet(const ClientBenchOptions& options,
                                                         bool reads) {
  return ClassicFleet::Start({.endpoint = options.endpoint,
                              .topic = options.topic,
                              .clients = options.clients,
                              .is_direct = options.is_direct,
                              .reads = reads});
}

}  // namespace

absl::StatusOr<Report> BenchClassicSend(const ClientBenchOptions& options) {
  TOTORA_ASSIGN_OR_RETURN(std::unique_ptr<ClassicFleet> fleet, StartFleet(options, false));
  TOTORA_ASSIGN_OR_RETURN(ClassicSendTemplate message,
                          ClassicSendTemplate::Make({.topic = options.topic,
                                                     .producer_group = "totora-bench",
                                                     .body = RandomBody(options.size),
                                                     .batch = options.batch,
                                                     .queues = fleet->queue_ids(),
                                                     .serializer = SerializerOf(options)}));
  Sending sending(fleet.get(), options.clients, std::move(message));
  Report report;
  report.name = "send";
  const CpuMeter meter(WithSelf(options));
  LoadLoop loop(LoadOf(options, options.batch), [&sending](size_t slot, LoadLoop::Done done) {
    sending.Start(slot, std::move(done));
  });
  loop.Run(&report);
  report.cpu = meter.Read();
  fleet.reset();  // Its thread may still be in the last callback.
  return report;
}

absl::StatusOr<Report> BenchClassicReceive(const ClientBenchOptions& options) {
  TOTORA_ASSIGN_OR_RETURN(std::unique_ptr<ClassicFleet> fleet, StartFleet(options, true));
  Pulling pulling(fleet.get(), options);
  Report report;
  report.name = "receive";
  const CpuMeter meter(WithSelf(options));
  LoadOptions load = LoadOf(options, options.batch);
  load.outstanding = std::min(load.outstanding, fleet->queues().size());
  LoadLoop loop(load, [&pulling](size_t slot, LoadLoop::Done done) {
    pulling.Start(slot, std::move(done));
  });
  loop.Run(&report);
  report.cpu = meter.Read();
  fleet.reset();  // Its thread may still be in the last callback.
  return report;
}

}  // namespace totora::bench
