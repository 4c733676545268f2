#include "message/override.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/coding.h"
#include "message/codec.h"
#include "message/message.h"
#include "message/properties.h"

namespace totora::message {
namespace {

using Kind = PropertyChange::Kind;

constexpr uint8_t kPositionFlag = 1;
constexpr uint8_t kReconsumeTimesFlag = 2;
constexpr uint8_t kTransactionFlag = 4;
constexpr uint8_t kPreparedPositionFlag = 8;
constexpr uint8_t kKnownFlags = 15;

// From here on the stored topic has two bytes of length: docs/formats/message.md.
constexpr size_t kTopicBytesMaxV1 = 127;

absl::Status Damaged() { return absl::DataLossError("damaged override record"); }

void AppendText(std::string* to, absl::string_view text) {
  AppendU16(to, static_cast<uint16_t>(text.size()));
  to->append(text.data(), text.size());
}

bool IsCopy(Kind kind) { return kind == Kind::kCopy || kind == Kind::kCopyIfAbsent; }

// The properties that a record changes, as they are after it.
class ChangedProperties {
 public:
  // Both are borrowed.
  ChangedProperties(absl::string_view packed, const std::vector<PropertyChange>& changes)
      : packed_(packed) {
    for (const PropertyChange& change : changes) Make(change);
  }

  // The whole string: what was not changed in its order, then the rest.
  std::string Pack() const {
    std::string packed;
    packed.reserve(packed_.size() + 128);
    ForEachProperty(packed_, [&](absl::string_view name, absl::string_view value) {
      if (Find(name) == nullptr) Add(name, value, &packed);
      return true;
    });
    for (const auto& [name, value] : changed_) {
      if (value.has_value()) Add(name, *value, &packed);
    }
    return packed;
  }

 private:
  using Changed = std::pair<absl::string_view, std::optional<absl::string_view>>;

  // What has no place any more, or cannot be written (a separator in it), is
  // left out: the message must be delivered all the same.
  static void Add(absl::string_view name, absl::string_view value, std::string* packed) {
    AppendProperty(packed, name, value).IgnoreError();
  }

  const Changed* Find(absl::string_view name) const {
    for (const Changed& changed : changed_) {
      if (changed.first == name) return &changed;
    }
    return nullptr;
  }

  std::optional<absl::string_view> ValueOf(absl::string_view name) const {
    const Changed* const changed = Find(name);
    return changed != nullptr ? changed->second : FindProperty(packed_, name);
  }

  void Make(const PropertyChange& change) {
    std::optional<absl::string_view> value = ValueOf(change.name);
    switch (change.kind) {
      case Kind::kUnset:
        value = std::nullopt;
        break;
      case Kind::kSet:
        value = change.value;
        break;
      case Kind::kSetIfAbsent:
        if (!value.has_value()) value = change.value;
        break;
      case Kind::kCopy:
        if (const auto copied = ValueOf(change.value); copied.has_value()) value = copied;
        break;
      case Kind::kCopyIfAbsent:
        if (!value.has_value()) value = ValueOf(change.value);
        break;
    }
    for (Changed& changed : changed_) {
      if (changed.first == change.name) {
        changed.second = value;
        return;
      }
    }
    changed_.emplace_back(change.name, value);
  }

  const absl::string_view packed_;
  std::vector<Changed> changed_;  // Each name once, in the order of their first change.
};

}  // namespace

void Override::Change(Kind kind, absl::string_view name, absl::string_view value) {
  const auto reads = [&](const PropertyChange& change) {
    return IsCopy(change.kind) && change.value == name;
  };
  if (kind == Kind::kUnset || kind == Kind::kSet) {
    // What was made of this name before is void, unless somebody copied it.
    if (std::none_of(properties.begin(), properties.end(), reads)) {
      properties.erase(std::remove_if(properties.begin(), properties.end(),
                                      [&](const PropertyChange& c) { return c.name == name; }),
                       properties.end());
    }
  } else {
    for (const PropertyChange& change : properties) {
      if (change.name != name) continue;
      // There already, or just the same once more.
      const bool is_there = change.kind == Kind::kSet || change.kind == Kind::kSetIfAbsent;
      const bool is_same = change.kind == kind && change.value == value;
      if (is_same || (is_there && kind != Kind::kCopy)) return;
    }
  }
  properties.push_back({kind, std::string(name), std::string(value)});
}

absl::Status Override::Check() const {
  bool is_ok = properties.size() <= kPropertyChangesMax &&
               (transaction.value_or(0) & ~kTransactionMask) == 0;
  size_t bytes = 1 + 8 + 4 + 1 + 8 + 1;
  for (const PropertyChange& change : properties) {
    is_ok &= !change.name.empty() && (change.kind != Kind::kUnset || change.value.empty());
    bytes += 1 + 2 + change.name.size() + 2 + change.value.size();
  }
  if (is_ok && bytes <= kOverrideBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError("an override record is too large");
}

std::string Override::Encode() const {
  TOTORA_DCHECK(Check().ok());
  std::string to;
  AppendU8(&to, static_cast<uint8_t>((position.has_value() ? kPositionFlag : 0) |
                                     (reconsume_times.has_value() ? kReconsumeTimesFlag : 0) |
                                     (transaction.has_value() ? kTransactionFlag : 0) |
                                     (prepared_position.has_value() ? kPreparedPositionFlag : 0)));
  if (position.has_value()) AppendU64(&to, position->value());
  if (reconsume_times.has_value()) AppendU32(&to, static_cast<uint32_t>(*reconsume_times));
  if (transaction.has_value()) AppendU8(&to, static_cast<uint8_t>(*transaction));
  if (prepared_position.has_value()) AppendU64(&to, prepared_position->value());
  AppendU8(&to, static_cast<uint8_t>(properties.size()));
  for (const PropertyChange& change : properties) {
    AppendU8(&to, static_cast<uint8_t>(change.kind));
    AppendText(&to, change.name);
    if (change.kind != Kind::kUnset) AppendText(&to, change.value);
  }
  return to;
}

absl::StatusOr<Override> Override::Decode(absl::string_view record) {
  if (record.size() > kOverrideBytesMax) return Damaged();
  Reader reader(record);
  Override decoded;
  const uint8_t flags = reader.U8();
  if ((flags & ~kKnownFlags) != 0) return Damaged();
  if ((flags & kPositionFlag) != 0) decoded.position = BytePosition(reader.U64());
  if ((flags & kReconsumeTimesFlag) != 0) {
    decoded.reconsume_times = static_cast<int32_t>(reader.U32());
  }
  if ((flags & kTransactionFlag) != 0) decoded.transaction = reader.U8();
  if ((flags & kPreparedPositionFlag) != 0) {
    decoded.prepared_position = BytePosition(reader.U64());
  }
  const uint8_t changes = reader.U8();
  if (changes > kPropertyChangesMax) return Damaged();
  for (uint8_t i = 0; i < changes; ++i) {
    const uint8_t kind = reader.U8();
    if (kind > static_cast<uint8_t>(Kind::kCopyIfAbsent)) return Damaged();
    PropertyChange& change = decoded.properties.emplace_back();
    change.kind = static_cast<Kind>(kind);
    change.name = std::string(reader.Bytes(reader.U16()));
    if (change.kind != Kind::kUnset) change.value = std::string(reader.Bytes(reader.U16()));
  }
  if (!reader.done() || !decoded.Check().ok()) return Damaged();
  return decoded;
}

absl::Status AppendAsRead(absl::string_view stored, const Place& place, const Override* record,
                          std::string* to) {
  if (stored.size() < kStoredBytesMin ||
      GetAt<uint32_t>(stored.data() + kTotalSizeAt) != stored.size()) {
    return absl::DataLossError("stored message: of another size than its place says");
  }
  const size_t begin = to->size();
  if (record == nullptr) {
    to->append(stored.data(), stored.size());
    char* const at = to->data() + begin;
    PatchQueueId(at, place.queue_id);
    PatchQueueOffset(at, place.queue_offset);
    PatchPosition(at, place.position);
    PatchStoreTime(at, place.store_time_ms);
    return absl::OkStatus();
  }

  const absl::StatusOr<StoredMessageView> view = StoredMessageView::Parse(stored);
  if (!view.ok()) return view.status();
  if (place.topic.empty() || place.topic.size() > kStoredTopicBytesMax) {
    return absl::InvalidArgumentError("a place without a topic that can be stored");
  }
  const std::string properties = ChangedProperties(view->properties(), record->properties).Pack();
  const bool is_v2 = place.topic.size() > kTopicBytesMaxV1;
  const auto body_end =
      static_cast<size_t>(view->body().data() + view->body().size() - stored.data());
  to->reserve(begin + body_end + 2 + place.topic.size() + 2 + properties.size());
  to->append(stored.data(), body_end);
  if (is_v2) {
    AppendU16(to, static_cast<uint16_t>(place.topic.size()));
  } else {
    AppendU8(to, static_cast<uint8_t>(place.topic.size()));
  }
  to->append(place.topic.data(), place.topic.size());
  AppendText(to, properties);

  char* const at = to->data() + begin;
  PutAt(at + kTotalSizeAt, static_cast<uint32_t>(to->size() - begin));
  PutAt(at + kMagicAt, is_v2 ? kMagicV2 : kMagicV1);
  PatchQueueId(at, place.queue_id);
  PatchQueueOffset(at, place.queue_offset);
  PatchPosition(at, record->position.value_or(place.position));
  PatchStoreTime(at, place.store_time_ms);
  if (record->reconsume_times.has_value()) PatchReconsumeTimes(at, *record->reconsume_times);
  if (record->prepared_position.has_value()) PatchPreparedPosition(at, *record->prepared_position);
  if (record->transaction.has_value()) {
    PatchSystemFlags(at, (view->system_flags() & ~kTransactionMask) | *record->transaction);
  }
  return absl::OkStatus();
}

}  // namespace totora::message
