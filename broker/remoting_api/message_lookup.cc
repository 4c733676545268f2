#include "broker/remoting_api/message_lookup.h"

#include <memory>
#include <optional>
#include <utility>

#include "message/override.h"
#include "store/find_message.h"

namespace totora::remoting_api {
namespace {

struct Lookup {
  BytePosition at;
  Executor* reader = nullptr;
  absl::AnyInvocable<void(absl::StatusOr<std::string> stored)> done;
};
using LookupPtr = std::shared_ptr<Lookup>;

// On the executor.
void Show(const HandlerContext& context, const LookupPtr& lookup, const store::FoundMessage& found,
          const std::string& stored) {
  const absl::StatusOr<QueueOffset> offset = context.broker->state().OffsetOf(
      found.topic, found.queue_id, found.position, found.store_time_ms);
  std::string bytes;
  const absl::Status status =
      message::AppendAsRead(stored,
                            {found.topic, found.queue_id, offset.ok() ? *offset : QueueOffset(0),
                             found.position, found.store_time_ms},
                            found.override_record.get(), &bytes);
  if (status.ok()) {
    lookup->done(std::move(bytes));
  } else {
    lookup->done(status);
  }
}

// On the reader.
void Read(const HandlerContext& context, const LookupPtr& lookup,
          const store::EntryRange& around) {
  absl::StatusOr<store::FoundMessage> found =
      context.broker->log()->FindMessage(around, lookup->at);
  if (!found.ok()) {
    lookup->done(found.status());
    return;
  }
  absl::StatusOr<std::string> stored =
      context.broker->log()->ReadMessage(found->position, found->size);
  if (!stored.ok()) {
    lookup->done(stored.status());
    return;
  }
  context.broker->executor()->Post(
      [&context, lookup, found = *std::move(found), stored = *std::move(stored)] {
        Show(context, lookup, found, stored);
      });
}

}  // namespace

void FindMessageAt(const HandlerContext& context, BytePosition at, Executor* reader,
                   absl::AnyInvocable<void(absl::StatusOr<std::string> stored)> done) {
  auto lookup = std::make_shared<Lookup>(Lookup{at, reader, std::move(done)});
  context.broker->log()->ReadBarrier(GiveUp(context), [&context, lookup](
                                                          const absl::Status& status) {
    if (!status.ok()) {
      lookup->done(status);
      return;
    }
    const std::optional<store::EntryRange> around =
        context.broker->state().EntriesAround(lookup->at);
    if (!around.has_value()) {
      lookup->done(absl::NotFoundError("no message begins at this position of the log"));
      return;
    }
    lookup->reader->Post(
        [&context, lookup, around = *around] { Read(context, lookup, around); });
  });
}

}  // namespace totora::remoting_api
