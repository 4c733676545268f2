#include "bench/classic_frames.h"

#include <charconv>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/coding.h"
#include "common/status.h"
#include "message/codec.h"
#include "message/message.h"
#include "message/properties.h"
#include "remoting/frame.h"
#include "remoting/header/send.h"

namespace totora::bench {
namespace {

// Stand for what is filled in later, in the same number of characters.
constexpr int64_t kBorn = 1'000'000'000'000;
constexpr size_t kBornDigits = 13;
constexpr absl::string_view kId = "ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ";
static_assert(kId.size() == UniqueIds::kDigits);

void WriteHex(uint64_t value, char* to) {
  for (int i = 15; i >= 0; --i, value >>= 4) to[i] = "0123456789ABCDEF"[value & 15];
}

void WriteDecimal(int64_t value, char* to, size_t digits) {
  for (size_t i = digits; i > 0; --i, value /= 10) to[i - 1] = static_cast<char>('0' + value % 10);
}

// What the Java client puts into every message, or into a batch as a whole.
absl::StatusOr<std::string> Properties() {
  std::string properties;
  TOTORA_RETURN_IF_ERROR(
      message::AppendProperty(&properties, message::kUniqueKeyProperty, kId));
  TOTORA_RETURN_IF_ERROR(message::AppendProperty(&properties, message::kWaitProperty, "true"));
  return properties;
}

}  // namespace

void UniqueIds::WriteNext(char* to) {
  WriteHex(origin_, to);
  WriteHex(next_++, to + 16);
}

absl::StatusOr<ClassicSendTemplate::Head> ClassicSendTemplate::MakeHead(
    const ClassicSendContent& content, int32_t queue_id, size_t body_size) {
  TOTORA_ASSIGN_OR_RETURN(const std::string properties, Properties());
  remoting::SendMessageRequest request;
  request.producer_group = content.producer_group;
  request.topic = content.topic;
  request.default_topic = "TBW102";
  request.default_topic_queue_nums = 4;
  request.queue_id = queue_id;
  request.born_timestamp = kBorn;
  request.properties = properties;
  request.reconsume_times = 0;
  request.batch = content.batch > 1;
  remoting::FieldBuffer fields;
  remoting::WriteSendMessage(request, remoting::SendFieldNames::kLetters, &fields);
  const auto code = content.batch > 1 ? remoting::RequestCode::kSendBatchMessage
                                      : remoting::RequestCode::kSendMessageV2;
  Head head;
  TOTORA_RETURN_IF_ERROR(remoting::AppendFrameHead({.code = static_cast<int32_t>(code),
                                                    .opaque = Opaques::kFirst,
                                                    .serializer = content.serializer},
                                                   fields, body_size, &head.bytes));
  const auto behind = [&head](absl::string_view mark) {
    const size_t at = head.bytes.find(mark.data(), 0, mark.size());
    TOTORA_CHECK(at != std::string::npos) << "no " << mark;
    return at + mark.size();
  };
  if (content.serializer == remoting::Serializer::kJson) {
    // Quotes inside of values are escaped: these marks are members.
    head.opaque_at = behind("\"opaque\":");
    head.born_at = behind("\"g\":\"");
  } else {
    // Behind code, language and version.
    head.opaque_at = remoting::kFramePrefixBytes + 5;
    std::string mark;
    AppendU16(&mark, 1);
    AppendU8(&mark, 'g');
    AppendU32(&mark, kBornDigits);
    head.born_at = behind(mark);
  }
  // The properties follow topic and group: the last is the one.
  head.id_at = head.bytes.rfind(kId.data(), std::string::npos, kId.size());
  TOTORA_CHECK(head.id_at != std::string::npos);
  return head;
}

absl::StatusOr<ClassicSendTemplate> ClassicSendTemplate::Make(const ClassicSendContent& content) {
  if (content.batch == 0 || content.queues <= 0) {
    return absl::InvalidArgumentError("a send needs a message and a queue");
  }
  ClassicSendTemplate made;
  made.batch_ = content.batch;
  made.serializer_ = content.serializer;
  if (content.batch == 1) {
    made.body_ = content.body;
  } else {
    TOTORA_ASSIGN_OR_RETURN(const std::string properties, Properties());
    const size_t id_in_properties = properties.find(kId.data(), 0, kId.size());
    const size_t item_size = 22 + content.body.size() + properties.size();
    if (item_size > remoting::kFrameBytesMax / content.batch) {
      return absl::ResourceExhaustedError("the batch is too large for a frame");
    }
    made.body_.reserve(item_size * content.batch);
    for (size_t i = 0; i < content.batch; ++i) {
      AppendU32(&made.body_, static_cast<uint32_t>(item_size));
      AppendU32(&made.body_, 0);  // Magic and CRC, which nobody reads in a batch.
      AppendU32(&made.body_, 0);
      AppendU32(&made.body_, 0);  // Flag.
      AppendBytes(&made.body_, content.body);
      AppendU16(&made.body_, static_cast<uint16_t>(properties.size()));
      made.body_ids_at_.push_back(made.body_.size() + id_in_properties);
      made.body_ += properties;
    }
  }
  for (int32_t queue_id = 0; queue_id < content.queues; ++queue_id) {
    TOTORA_ASSIGN_OR_RETURN(Head head, MakeHead(content, queue_id, made.body_.size()));
    made.heads_.push_back(std::move(head));
  }
  return made;
}

std::string ClassicSendTemplate::Frame(int32_t queue_id, int32_t opaque, int64_t now_ms,
                                       UniqueIds* ids) const {
  const Head& head = heads_[static_cast<size_t>(queue_id)];
  std::string frame;
  frame.reserve(head.bytes.size() + body_.size());
  frame += head.bytes;
  frame += body_;
  if (serializer_ == remoting::Serializer::kJson) {
    WriteDecimal(opaque, frame.data() + head.opaque_at, 10);
  } else {
    PutAt(frame.data() + head.opaque_at, static_cast<uint32_t>(opaque));
  }
  WriteDecimal(now_ms, frame.data() + head.born_at, kBornDigits);
  ids->WriteNext(frame.data() + head.id_at);
  for (const size_t at : body_ids_at_) ids->WriteNext(frame.data() + head.bytes.size() + at);
  return frame;
}

absl::StatusOr<uint64_t> CountStoredMessages(absl::string_view body) {
  uint64_t count = 0;
  while (!body.empty()) {
    const uint32_t size = body.size() < 4 ? 0 : GetAt<uint32_t>(body.data());
    if (size < message::kStoredBytesMin || size > body.size()) {
      return absl::DataLossError(
          absl::StrCat("message ", count, " of an answer is of ", size, " bytes"));
    }
    body.remove_prefix(size);
    ++count;
  }
  return count;
}

}  // namespace totora::bench
