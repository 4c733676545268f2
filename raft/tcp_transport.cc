#include "raft/tcp_transport.h"

#include <algorithm>
#include <functional>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "common/log.h"
#include "common/mutex.h"
#include "net/dialer.h"

namespace totora::raft {
namespace {

// Sent first by who dialled; no protocol of clients begins so.
constexpr absl::string_view kPreface = "TOTORA-RAFT/1\n";
constexpr uint8_t kRefusal = 0xff;  // In place of a channel, in an answer: why not.
constexpr size_t kLengthBytes = 4;
constexpr size_t kHelloBytesMax = 64 << 10;
constexpr size_t kFrameBytesMax = 64 << 20;
constexpr size_t kQueuedBytesMax = 64 << 20;  // On one connection; beyond it messages are dropped.
constexpr absl::Duration kHelloTimeout = absl::Seconds(10);
constexpr absl::Duration kDialTimeout = absl::Seconds(2);

NetLimits DialledLimits() {
  NetLimits limits;
  limits.stream_write_pause_bytes = kQueuedBytesMax;
  limits.connection_response_bytes_held_max = int64_t{4} * kQueuedBytesMax;
  limits.response_bytes_held_max = int64_t{64} * kQueuedBytesMax;  // The queues' bound counts.
  return limits;
}

std::string FirstFrame(Channel channel, const Hello& hello) {
  std::string out;
  AppendU8(&out, static_cast<uint8_t>(channel));
  out += EncodeHello(hello);
  return out;
}

std::string Framed(absl::string_view bytes) {
  std::string out;
  AppendBytes(&out, bytes);
  return out;
}

// Calls `take` with each whole frame at the begin of `bytes` until it says
// false. Returns the bytes consumed, or -1 if a frame claims more than `max`.
template <typename Take>
ptrdiff_t ForEachFrame(absl::string_view bytes, size_t max, Take take) {
  size_t used = 0;
  while (bytes.size() - used >= kLengthBytes) {
    const size_t size = GetAt<uint32_t>(bytes.data() + used);
    if (size > max) return -1;
    if (bytes.size() - used - kLengthBytes < size) break;
    const absl::string_view frame = bytes.substr(used + kLengthBytes, size);
    used += kLengthBytes + size;
    if (!take(frame)) break;
  }
  return static_cast<ptrdiff_t>(used);
}

// What the streams of one group share: whom to tell, and what to say first.
//
// Thread safety: monitor.
class Group {
 public:
  // `on_arrival` hears that a peer opened a stream to us: any thread, until Close.
  void Open(const Hello& hello, TransportReceiver* receiver,
            std::function<void(ReplicaId)> on_arrival) {
    std::unique_lock<std::shared_mutex> lock(mu_);
    hello_ = hello;
    receiver_ = receiver;
    on_arrival_ = std::move(on_arrival);
  }
  // No receiver is called any more when it returns.
  void Close() {
    std::unique_lock<std::shared_mutex> lock(mu_);
    receiver_ = nullptr;
    on_arrival_ = nullptr;
  }
  void Arrived(ReplicaId peer) const {
    std::shared_lock<std::shared_mutex> lock(mu_);
    if (on_arrival_) on_arrival_(peer);
  }
  void SetHello(const Hello& hello) {
    std::unique_lock<std::shared_mutex> lock(mu_);
    hello_ = hello;
  }
  Hello hello() const {
    std::shared_lock<std::shared_mutex> lock(mu_);
    return hello_;
  }
  // False once closed.
  template <typename F>
  bool Tell(F&& tell) const {
    std::shared_lock<std::shared_mutex> lock(mu_);
    if (receiver_ == nullptr) return false;
    tell(receiver_);
    return true;
  }

 private:
  mutable std::shared_mutex mu_;
  Hello hello_;
  TransportReceiver* receiver_ = nullptr;
  std::function<void(ReplicaId)> on_arrival_;
};

}  // namespace

// Incoming streams look their group up here.
class TcpTransportService::Groups {
 public:
  void Add(GroupId id, std::shared_ptr<Group> group) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    groups_[id] = std::move(group);
  }
  void Remove(GroupId id) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    groups_.erase(id);
  }
  std::shared_ptr<Group> Find(GroupId id) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    const auto it = groups_.find(id);
    return it == groups_.end() ? nullptr : it->second;
  }

 private:
  Mutex mu_;  // Leaf.
  std::map<GroupId, std::shared_ptr<Group>> groups_ ABSL_GUARDED_BY(mu_);
};

// A stream that a peer opened: it speaks, we say hello.
class Incoming : public RawHandler {
 public:
  Incoming(std::shared_ptr<TcpTransportService::Groups> groups, RawConnectionPtr connection)
      : groups_(std::move(groups)), connection_(std::move(connection)) {
    connection_->executor()->PostAfter(kHelloTimeout,
                                       [connection = connection_, has_hello = has_hello_] {
                                         if (!*has_hello) connection->Close();
                                       });
  }

  size_t OnData(absl::string_view bytes) override {
    if (is_over_) return bytes.size();
    size_t used = 0;
    if (!has_preface_) {
      const size_t n = std::min(bytes.size(), kPreface.size());
      if (bytes.substr(0, n) != kPreface.substr(0, n)) return End(bytes);
      if (n < kPreface.size()) return 0;
      has_preface_ = true;
      used = n;
    }
    const ptrdiff_t frames =
        ForEachFrame(bytes.substr(used), from_ == nullptr ? kHelloBytesMax : kFrameBytesMax,
                     [this](absl::string_view frame) { return Take(frame); });
    if (frames < 0 || is_over_) return End(bytes);
    return used + static_cast<size_t>(frames);
  }

  void OnDrain() override { connection_->Close(); }

 private:
  size_t End(absl::string_view bytes) {
    is_over_ = true;
    connection_->Close();
    return bytes.size();
  }

  bool Take(absl::string_view frame) {
    if (from_ == nullptr) {
      is_over_ = !TakeHello(frame);
      // Who dialled waits for our answer: nothing stands behind a hello.
      return !is_over_;
    }
    is_over_ = !group_->Tell([&](TransportReceiver* receiver) {
      receiver->OnMessage(from_, channel_, SharedBytes(std::string(frame)));
    });
    return !is_over_;
  }

  bool TakeHello(absl::string_view frame) {
    auto hello = std::make_shared<Hello>();
    if (frame.size() < 2 || static_cast<uint8_t>(frame[0]) >= kChannels ||
        !DecodeHello(frame.substr(1), hello.get())) {
      return Refuse("no hello");
    }
    channel_ = static_cast<Channel>(frame[0]);
    group_ = groups_->Find(hello->group);
    if (group_ == nullptr) return Refuse("no such group here");
    const Hello self = group_->hello();
    if (self.cluster != hello->cluster) {
      return Refuse(
          absl::StrCat("this is cluster '", self.cluster, "', not '", hello->cluster, "'"));
    }
    from_ = std::move(hello);
    *has_hello_ = true;
    connection_->Write(Framed(FirstFrame(channel_, self)));
    group_->Arrived(from_->replica);
    return true;
  }

  bool Refuse(absl::string_view why) {
    std::string answer(1, static_cast<char>(kRefusal));
    absl::StrAppend(&answer, why);
    connection_->Write(Framed(answer));
    return false;
  }

  const std::shared_ptr<TcpTransportService::Groups> groups_;
  const RawConnectionPtr connection_;
  std::shared_ptr<Group> group_;
  std::shared_ptr<const Hello> from_;
  Channel channel_ = Channel::kControl;
  // Shared with the timer; touched on the connection's loop only.
  const std::shared_ptr<bool> has_hello_ = std::make_shared<bool>(false);
  bool has_preface_ = false;
  bool is_over_ = false;
};

namespace {

// One channel to one peer: dials again and again.
//
// Thread safety: confined to the loop.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(const TcpTransportOptions& options, std::shared_ptr<Group> group, EventLoop* loop,
       std::shared_ptr<NetBudget> budget, ReplicaId peer, Channel channel)
      : group_(std::move(group)),
        loop_(loop),
        budget_(std::move(budget)),
        peer_(peer),
        channel_(channel),
        address_(options.peers.at(peer)),
        redial_first_(options.redial_first),
        redial_max_(options.redial_max),
        redial_(redial_first_) {}

  // Opens a stream unless there is one or one is being opened.
  void Dial();

  // The peer was just heard of: no need to wait for the next try.
  void DialSoon() {
    redial_ = redial_first_;
    Dial();
  }

  void Send(WireMessage message) {
    if (!is_answered_ || is_full_) return;
    std::string head;
    head.reserve(kLengthBytes + message.head.size());
    AppendU32(&head, static_cast<uint32_t>(message.size()));
    head += message.head;
    if (message.parts.empty()) {
      is_full_ = !connection_->Write(std::move(head));
      return;
    }
    message.parts.insert(message.parts.begin(), SharedBytes(std::move(head)));
    is_full_ = !connection_->Write(std::move(message.parts));
  }

  void Stop() {
    is_stopped_ = true;
    if (connection_) connection_->Close();
  }

 private:
  // Our end of one connection.
  class Outgoing : public RawHandler {
   public:
    explicit Outgoing(std::shared_ptr<Link> link) : link_(std::move(link)) {}
    size_t OnData(absl::string_view bytes) override {
      const ptrdiff_t used = ForEachFrame(bytes, kHelloBytesMax, [this](absl::string_view frame) {
        return link_->Answered(frame);
      });
      if (used >= 0) return static_cast<size_t>(used);
      link_->connection_->Close();
      return bytes.size();
    }
    void OnWritable() override { link_->is_full_ = false; }
    void OnDrain() override { link_->connection_->Close(); }
    void OnClosed() override { link_->Ended(false); }

   private:
    const std::shared_ptr<Link> link_;
  };

  bool Answered(absl::string_view frame);
  void Ended(bool is_refused);

  const std::shared_ptr<Group> group_;
  EventLoop* const loop_;
  const std::shared_ptr<NetBudget> budget_;
  const ReplicaId peer_;
  const Channel channel_;
  const std::string address_;
  const absl::Duration redial_first_;
  const absl::Duration redial_max_;

  RawConnectionPtr connection_;
  bool is_dialling_ = false;
  bool is_answered_ = false;
  bool is_full_ = false;
  bool is_stopped_ = false;
  absl::Duration redial_;
};

void Link::Dial() {
  if (is_stopped_ || is_dialling_ || connection_ != nullptr) return;
  is_dialling_ = true;
  RawProtocol protocol;
  protocol.factory =
      [self = shared_from_this()](RawConnectionPtr connection) -> std::unique_ptr<RawHandler> {
    if (self->is_stopped_) return nullptr;
    self->is_dialling_ = false;
    self->connection_ = std::move(connection);
    std::string first(kPreface);
    AppendBytes(&first, FirstFrame(self->channel_, self->group_->hello()));
    self->connection_->Write(std::move(first));
    return std::make_unique<Outgoing>(self);
  };
  DialRaw(
      loop_, budget_, {.address = address_, .timeout = kDialTimeout}, std::move(protocol),
      [self = shared_from_this()](const DialFailure& failure) { self->Ended(failure.is_refused); });
}

bool Link::Answered(absl::string_view frame) {
  Hello hello;
  if (!frame.empty() && static_cast<uint8_t>(frame[0]) == kRefusal) {
    TOTORA_LOG_LIMITED(kError, "raft")
        << Field("peer", peer_) << "refused our stream: " << frame.substr(1);
    connection_->Close();
    return false;
  }
  if (frame.size() < 2 || !DecodeHello(frame.substr(1), &hello) || hello.replica != peer_) {
    TOTORA_LOG_LIMITED(kError, "raft")
        << Field("peer", peer_) << "its address is answered by another replica";
    connection_->Close();
    return false;
  }
  if (std::exchange(is_answered_, true)) return true;
  TOTORA_LOG(kDebug, "raft") << Field("peer", peer_) << Field("channel", int(channel_))
                             << "stream open";
  redial_ = redial_first_;
  group_->Tell([&](TransportReceiver* receiver) { receiver->OnConnected(peer_, channel_, hello); });
  return true;
}

void Link::Ended(bool is_refused) {
  connection_ = nullptr;
  is_dialling_ = false;
  is_full_ = false;
  const bool was_answered = std::exchange(is_answered_, false);
  if (is_stopped_) return;
  TOTORA_LOG(kDebug, "raft") << Field("peer", peer_) << Field("channel", int(channel_))
                             << Field("refused", is_refused) << "no stream";
  // At once after a stream that worked: whether the peer still listens is what
  // an election waits for.
  const absl::Duration delay = was_answered ? absl::ZeroDuration() : redial_;
  if (!was_answered) redial_ = std::min(redial_ * 2, redial_max_);
  group_->Tell(
      [&](TransportReceiver* receiver) { receiver->OnDisconnected(peer_, channel_, is_refused); });
  loop_->PostAfter(delay, [self = shared_from_this()] { self->Dial(); });
}

}  // namespace

class TcpTransport : public Transport {
 public:
  TcpTransport(std::shared_ptr<TcpTransportService::Groups> groups, EventLoop* loop,
               TcpTransportOptions options)
      : groups_(std::move(groups)), loop_(loop), options_(std::move(options)) {}
  ~TcpTransport() override { Stop(); }

  void Start(const Hello& self, TransportReceiver* receiver) override {
    const auto budget = std::make_shared<NetBudget>(DialledLimits());
    for (const auto& [peer, unused] : options_.peers) {
      if (peer == self.replica) continue;
      for (int channel = 0; channel < kChannels; ++channel) {
        links_[{peer, channel}] = std::make_shared<Link>(options_, group_, loop_, budget, peer,
                                                         static_cast<Channel>(channel));
      }
    }
    group_->Open(self, receiver, [this](ReplicaId peer) {
      for (int channel = 0; channel < kChannels; ++channel) {
        const auto it = links_.find({peer, channel});
        if (it != links_.end()) loop_->Post([link = it->second] { link->DialSoon(); });
      }
    });
    groups_->Add(options_.group, group_);
    for (const auto& [key, link] : links_) loop_->Post([link = link] { link->Dial(); });
  }

  void SetHello(const Hello& self) override { group_->SetHello(self); }

  void Send(ReplicaId to, Channel channel, WireMessage message) override {
    const auto it = links_.find({to, static_cast<int>(channel)});
    if (it == links_.end()) return;
    if (loop_->IsCurrent()) return it->second->Send(std::move(message));
    loop_->Post([link = it->second, message = std::move(message)]() mutable {
      link->Send(std::move(message));
    });
  }

  void Stop() override {
    groups_->Remove(options_.group);
    group_->Close();
    for (const auto& [key, link] : links_) loop_->Post([link = link] { link->Stop(); });
  }

 private:
  const std::shared_ptr<TcpTransportService::Groups> groups_;
  EventLoop* const loop_;
  const TcpTransportOptions options_;
  const std::shared_ptr<Group> group_ = std::make_shared<Group>();
  std::map<std::pair<ReplicaId, int>, std::shared_ptr<Link>> links_;  // Constant after Start.
};

TcpTransportService::TcpTransportService() : groups_(std::make_shared<Groups>()) {}
TcpTransportService::~TcpTransportService() = default;

RawProtocol TcpTransportService::protocol() const {
  RawProtocol protocol;
  protocol.unconsumed_bytes_max = kFrameBytesMax + (64 << 10);
  protocol.factory = [groups = groups_](RawConnectionPtr connection) {
    return std::make_unique<Incoming>(groups, std::move(connection));
  };
  return protocol;
}

std::unique_ptr<Transport> TcpTransportService::MakeTransport(const TcpTransportOptions& options,
                                                              EventLoop* loop) {
  return std::make_unique<TcpTransport>(groups_, loop, options);
}

}  // namespace totora::raft
