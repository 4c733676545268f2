#include "raft/wire.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "common/status.h"

namespace totora::raft {
namespace {

// Numbers are part of the format.
enum WireType : uint8_t {
  kVoteRequest = 1,
  kVoteReply = 2,
  kAppendRequest = 3,
  kAppendReply = 4,
  kHeartbeat = 5,
  kHeartbeatReply = 6,
  kTimeoutNow = 7,
  kReadIndexRequest = 8,
  kReadIndexReply = 9,
  kForward = 20,
  kPeer = 21,
  kAnnouncement = 22,
};

// Of a hello, and with it of all messages and of the entries in them.
constexpr uint8_t kVersion = 2;

constexpr uint32_t kEntriesPerMessageMax = 1 << 16;

class Encoder {
 public:
  Encoder(std::string* to, const WireTimes& times) : to_(to), times_(times) {}

  void operator()(const VoteRequest& m) {
    Start(kVoteRequest, m.term);
    AppendU64(to_, m.last_index.value());
    AppendU64(to_, m.last_term.value());
    AppendU8(to_, static_cast<uint8_t>((m.is_pre_vote ? 1 : 0) | (m.is_transfer ? 2 : 0)));
  }
  void operator()(const VoteReply& m) {
    Start(kVoteReply, m.term);
    AppendU8(to_, static_cast<uint8_t>((m.is_pre_vote ? 1 : 0) | (m.is_granted ? 2 : 0)));
    AppendU64(to_, static_cast<uint64_t>(times_.wall_ms));
    AppendU64(to_, static_cast<uint64_t>(times_.passed_ms));
  }
  void operator()(const AppendRequest& m) {
    Start(kAppendRequest, m.term);
    AppendU64(to_, m.prev_index.value());
    AppendU64(to_, m.prev_term.value());
    AppendU64(to_, m.commit.value());
    AppendU32(to_, static_cast<uint32_t>(m.entries.size()));
  }
  void operator()(const AppendReply& m) {
    Start(kAppendReply, m.term);
    AppendU8(to_, m.is_success ? 1 : 0);
    AppendU64(to_, m.index.value());
    AppendU64(to_, m.hint_index.value());
    AppendU64(to_, m.hint_term.value());
  }
  void operator()(const Heartbeat& m) {
    Start(kHeartbeat, m.term);
    AppendU64(to_, m.commit.value());
    AppendU64(to_, m.round);
    AppendU64(to_, static_cast<uint64_t>(times_.log_ms));
    AppendU64(to_, static_cast<uint64_t>(times_.passed_ms));
  }
  void operator()(const HeartbeatReply& m) {
    Start(kHeartbeatReply, m.term);
    AppendU64(to_, m.round);
    AppendU64(to_, static_cast<uint64_t>(times_.wall_ms));
  }
  void operator()(const TimeoutNow& m) { Start(kTimeoutNow, m.term); }
  void operator()(const ReadIndexRequest& m) {
    Start(kReadIndexRequest, m.term);
    AppendU64(to_, m.id);
  }
  void operator()(const ReadIndexReply& m) {
    Start(kReadIndexReply, m.term);
    AppendU64(to_, m.id);
    AppendU64(to_, m.index.value());
  }

 private:
  void Start(WireType type, Term term) {
    AppendU8(to_, type);
    AppendU64(to_, term.value());
  }

  std::string* const to_;
  const WireTimes times_;
};

LogIndex ReadLogIndex(Reader* reader) { return LogIndex(reader->U64()); }
Term ReadTerm(Reader* reader) { return Term(reader->U64()); }
// As much as an entry can say.
int64_t ReadPassed(Reader* reader) {
  return static_cast<int64_t>(std::min(reader->U64(), static_cast<uint64_t>(kPassedMsMax)));
}

absl::Status DecodeAppend(const SharedBytes& bytes, Term term, Reader* reader,
                          ProtocolMessage* out) {
  AppendRequest request;
  request.term = term;
  request.prev_index = ReadLogIndex(reader);
  request.prev_term = ReadTerm(reader);
  request.commit = ReadLogIndex(reader);
  const uint32_t count = reader->U32();
  if (!reader->ok() || count > kEntriesPerMessageMax ||
      reader->rest().size() < uint64_t{count} * kFrameHeaderBytes) {
    return absl::DataLossError("append request is cut short");
  }
  const absl::string_view headers = reader->Bytes(count * kFrameHeaderBytes);
  request.entries.reserve(count);
  out->frames.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    TOTORA_ASSIGN_OR_RETURN(
        const FrameHeader header,
        DecodeFrameHeader(headers.substr(i * kFrameHeaderBytes, kFrameHeaderBytes), nullptr));
    const absl::string_view body = reader->Bytes(header.body_bytes);
    if (!reader->ok()) return absl::DataLossError("entry's body is cut short");
    TOTORA_RETURN_IF_ERROR(CheckFrameBody(header, body));
    Frame frame{header, SharedBytes(bytes.owner(), body)};
    request.entries.push_back(frame.meta());
    out->frames.push_back(std::move(frame));
  }
  out->message = std::move(request);
  return absl::OkStatus();
}

absl::StatusOr<ProtocolMessage> DecodeProtocol(uint8_t type, const SharedBytes& bytes,
                                               Reader* reader) {
  ProtocolMessage out;
  const Term term = ReadTerm(reader);
  switch (type) {
    case kVoteRequest: {
      VoteRequest m;
      m.term = term;
      m.last_index = ReadLogIndex(reader);
      m.last_term = ReadTerm(reader);
      const uint8_t flags = reader->U8();
      m.is_pre_vote = (flags & 1) != 0;
      m.is_transfer = (flags & 2) != 0;
      out.message = m;
      break;
    }
    case kVoteReply: {
      const uint8_t flags = reader->U8();
      out.message = VoteReply{term, (flags & 1) != 0, (flags & 2) != 0};
      out.times.wall_ms = static_cast<int64_t>(reader->U64());
      out.times.passed_ms = ReadPassed(reader);
      break;
    }
    case kAppendRequest:
      TOTORA_RETURN_IF_ERROR(DecodeAppend(bytes, term, reader, &out));
      break;
    case kAppendReply: {
      AppendReply m;
      m.term = term;
      m.is_success = reader->U8() != 0;
      m.index = ReadLogIndex(reader);
      m.hint_index = ReadLogIndex(reader);
      m.hint_term = ReadTerm(reader);
      out.message = m;
      break;
    }
    case kHeartbeat: {
      Heartbeat m;
      m.term = term;
      m.commit = ReadLogIndex(reader);
      m.round = reader->U64();
      out.message = m;
      out.times.log_ms = static_cast<int64_t>(reader->U64());
      out.times.passed_ms = ReadPassed(reader);
      break;
    }
    case kHeartbeatReply:
      out.message = HeartbeatReply{term, reader->U64()};
      out.times.wall_ms = static_cast<int64_t>(reader->U64());
      break;
    case kTimeoutNow:
      out.message = TimeoutNow{term};
      break;
    case kReadIndexRequest:
      out.message = ReadIndexRequest{term, reader->U64()};
      break;
    case kReadIndexReply: {
      ReadIndexReply m;
      m.term = term;
      m.id = reader->U64();
      m.index = ReadLogIndex(reader);
      out.message = m;
      break;
    }
    default:
      return absl::DataLossError(absl::StrCat("message of unknown type ", type));
  }
  if (!reader->done()) return absl::DataLossError("message is cut short or too long");
  return out;
}

absl::StatusOr<ForwardedCommands> DecodeForward(const SharedBytes& bytes, Reader* reader) {
  ForwardedCommands out;
  while (reader->ok() && !reader->rest().empty()) {
    // Commands carry their own length; see raft/command.h.
    const absl::string_view rest = reader->rest();
    const uint64_t size = rest.size() < 4 ? 0 : uint64_t{GetAt<uint32_t>(rest.data())} + 4;
    if (size < 4 || size > rest.size()) return absl::DataLossError("command is cut short");
    out.commands.push_back(SharedBytes(bytes.owner(), reader->Bytes(size)));
  }
  return out;
}

}  // namespace

std::string EncodeHello(const Hello& hello) {
  std::string out;
  AppendU8(&out, kVersion);
  AppendBytes(&out, hello.cluster);
  AppendU32(&out, hello.group.value());
  AppendU32(&out, hello.replica.value());
  AppendBytes(&out, hello.volume);
  AppendU64(&out, hello.incarnation.value());
  AppendU8(&out, hello.is_leader ? 1 : 0);
  AppendU64(&out, hello.term.value());
  AppendU32(&out, static_cast<uint32_t>(hello.voters.size()));
  for (const BoundVoter& voter : hello.voters) {
    AppendU32(&out, voter.replica.value());
    AppendBytes(&out, voter.volume);
  }
  return out;
}

bool DecodeHello(absl::string_view bytes, Hello* hello) {
  Reader reader(bytes);
  if (reader.U8() != kVersion) return false;
  hello->cluster = std::string(reader.Prefixed());
  hello->group = GroupId(reader.U32());
  hello->replica = ReplicaId(reader.U32());
  hello->volume = std::string(reader.Prefixed());
  hello->incarnation = Incarnation(reader.U64());
  hello->is_leader = reader.U8() != 0;
  hello->term = ReadTerm(&reader);
  const uint32_t count = reader.U32();
  hello->voters.clear();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    BoundVoter voter;
    voter.replica = ReplicaId(reader.U32());
    voter.volume = std::string(reader.Prefixed());
    hello->voters.push_back(std::move(voter));
  }
  return reader.done();
}

WireMessage EncodeProtocol(const Message& message, absl::Span<const Frame> frames,
                           const WireTimes& times) {
  WireMessage out;
  std::visit(Encoder(&out.head, times), message);
  const size_t fixed = out.head.size();
  out.head.resize(fixed + frames.size() * kFrameHeaderBytes);
  out.parts.reserve(frames.size());
  for (size_t i = 0; i < frames.size(); ++i) {
    EncodeFrameHeader(frames[i].header, 0, &out.head[fixed + i * kFrameHeaderBytes]);
    if (frames[i].body.size() > 0) out.parts.push_back(frames[i].body);
  }
  return out;
}

WireMessage EncodeForward(std::vector<SharedBytes> commands) {
  WireMessage out;
  AppendU8(&out.head, kForward);
  out.parts = std::move(commands);
  return out;
}

WireMessage EncodePeer(std::string bytes) {
  WireMessage out;
  AppendU8(&out.head, kPeer);
  out.parts.push_back(SharedBytes(std::move(bytes)));
  return out;
}

WireMessage EncodeAnnouncement(const Hello& hello) {
  WireMessage out;
  AppendU8(&out.head, kAnnouncement);
  out.head += EncodeHello(hello);
  return out;
}

bool IsPeerMessage(absl::string_view bytes) {
  return !bytes.empty() && static_cast<uint8_t>(bytes[0]) == kPeer;
}

absl::StatusOr<WireContent> DecodeWire(const SharedBytes& bytes) {
  Reader reader(bytes.view());
  const uint8_t type = reader.U8();
  switch (type) {
    case kForward: {
      TOTORA_ASSIGN_OR_RETURN(ForwardedCommands forwarded, DecodeForward(bytes, &reader));
      return WireContent(std::move(forwarded));
    }
    case kPeer:
      return WireContent(PeerMessage{bytes.Slice(1, bytes.size() - 1)});
    case kAnnouncement: {
      Announcement announcement;
      if (!DecodeHello(bytes.view().substr(1), &announcement.hello)) {
        return absl::DataLossError("announcement is garbled");
      }
      return WireContent(std::move(announcement));
    }
    default: {
      TOTORA_ASSIGN_OR_RETURN(ProtocolMessage message, DecodeProtocol(type, bytes, &reader));
      return WireContent(std::move(message));
    }
  }
}

}  // namespace totora::raft
