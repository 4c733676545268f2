#include "raft/grpc_transport.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <set>
#include <shared_mutex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/coding.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/thread_executor.h"

namespace totora::raft {
namespace {

constexpr char kMethod[] = "/totora.raft.Replication/Stream";
constexpr absl::Duration kRedialFirst = absl::Milliseconds(20);
constexpr absl::Duration kRedialMax = absl::Milliseconds(500);
constexpr size_t kCopyBelow = 1024;  // Smaller parts are cheaper copied than shared.
constexpr int kMessageBytesMax = 64 << 20;

SharedBytes ToShared(const grpc::ByteBuffer& buffer) {
  auto slice = std::make_shared<grpc::Slice>();
  if (!buffer.TrySingleSlice(slice.get()).ok()) {
    if (!buffer.DumpToSingleSlice(slice.get()).ok()) return SharedBytes();
  }
  const absl::string_view view(reinterpret_cast<const char*>(slice->begin()), slice->size());
  return SharedBytes(std::move(slice), view);
}

void DropShare(void* share) { delete static_cast<SharedBytes*>(share); }

grpc::ByteBuffer ToBuffer(const WireMessage& message) {
  std::vector<grpc::Slice> slices;
  slices.reserve(message.parts.size() + 1);
  std::string small = message.head;
  for (const SharedBytes& part : message.parts) {
    if (part.size() < kCopyBelow) {
      small.append(part.view().data(), part.size());
      continue;
    }
    if (!small.empty()) slices.emplace_back(small);
    small.clear();
    slices.emplace_back(const_cast<char*>(part.view().data()), part.size(), DropShare,
                        new SharedBytes(part));
  }
  if (!small.empty() || slices.empty()) slices.emplace_back(small);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

std::string FirstMessage(Channel channel, const Hello& hello) {
  std::string out;
  AppendU8(&out, static_cast<uint8_t>(channel));
  out += EncodeHello(hello);
  return out;
}

// What the streams of one group share: whom to tell, and what to say first.
//
// Thread safety: monitor.
class Group {
 public:
  // `on_arrival` hears that a peer opened a stream to us; any thread, until Close.
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

// Incoming streams look their group up here.
class Groups {
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

// --- Streams that come in ---------------------------------------------------

class Incoming : public grpc::ServerGenericBidiReactor {
 public:
  explicit Incoming(std::shared_ptr<Groups> groups) : groups_(std::move(groups)) {
    StartRead(&read_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End(grpc::Status::OK);
    SharedBytes bytes = ToShared(read_);
    if (from_ == nullptr) {
      if (!TakeHello(bytes.view())) return;
    } else if (!group_->Tell([&](TransportReceiver* receiver) {
                 receiver->OnMessage(from_, channel_, std::move(bytes));
               })) {
      return End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "replica is stopping"));
    }
    read_.Clear();
    StartRead(&read_);
  }

  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  bool TakeHello(absl::string_view bytes) {
    auto hello = std::make_shared<Hello>();
    const bool is_whole = bytes.size() > 1 && static_cast<uint8_t>(bytes[0]) < kChannels &&
                          DecodeHello(bytes.substr(1), hello.get());
    if (!is_whole) {
      End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no hello"));
      return false;
    }
    channel_ = static_cast<Channel>(bytes[0]);
    group_ = groups_->Find(hello->group);
    if (group_ == nullptr) {
      End(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such group here"));
      return false;
    }
    const Hello self = group_->hello();
    if (self.cluster != hello->cluster) {
      End(grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                       absl::StrCat("this is cluster '", self.cluster, "', not '", hello->cluster,
                                    "'")));
      return false;
    }
    from_ = std::move(hello);
    const std::string answer = FirstMessage(channel_, self);
    const grpc::Slice slice(answer);
    write_ = grpc::ByteBuffer(&slice, 1);
    StartWrite(&write_);
    group_->Arrived(from_->replica);
    return true;
  }

  void End(grpc::Status status) {
    if (!has_ended_.exchange(true)) Finish(std::move(status));
  }

  const std::shared_ptr<Groups> groups_;
  std::shared_ptr<Group> group_;
  std::shared_ptr<const Hello> from_;
  Channel channel_ = Channel::kControl;
  grpc::ByteBuffer read_;
  grpc::ByteBuffer write_;
  std::atomic<bool> has_ended_{false};
};

class Refusal : public grpc::ServerGenericBidiReactor {
 public:
  Refusal() { Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "")); }
  void OnDone() override { delete this; }
};

class GenericService : public grpc::CallbackGenericService {
 public:
  explicit GenericService(std::shared_ptr<Groups> groups) : groups_(std::move(groups)) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* ctx) override {
    if (ctx->method() == kMethod) return new Incoming(groups_);
    return new Refusal();
  }

 private:
  const std::shared_ptr<Groups> groups_;
};

// --- Streams that go out ------------------------------------------------------

// One channel to one peer: dials again and again, and queues what is to be sent.
//
// Thread safety: monitor.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(std::shared_ptr<Group> group, Executor* timers, ReplicaId peer, Channel channel,
       const std::string& target, size_t queued_bytes_max)
      : group_(std::move(group)),
        timers_(timers),
        peer_(peer),
        channel_(channel),
        queued_bytes_max_(queued_bytes_max) {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
    args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
    args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
    args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    if (channel == Channel::kControl) {
      args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
      args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
    } else {
      args.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
      args.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 16 << 20);
      args.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, 1 << 20);
    }
    args.SetMaxReceiveMessageSize(kMessageBytesMax);
    args.SetMaxSendMessageSize(kMessageBytesMax);
    grpc_channel_ = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), args);
    stub_ = std::make_unique<grpc::GenericStub>(grpc_channel_);
  }

  // Opens a stream unless there is one.
  void Dial() ABSL_LOCKS_EXCLUDED(mu_);
  // The peer was just heard of: no need to wait for the next try. Any thread.
  void DialSoon() ABSL_LOCKS_EXCLUDED(mu_);
  void Send(WireMessage message) ABSL_LOCKS_EXCLUDED(mu_);
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // One stream's life. Deletes itself.
  class Stream : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Stream(std::shared_ptr<Link> link) : link_(std::move(link)) {}
    void Begin(grpc::GenericStub* stub, const std::string& first) {
      const grpc::Slice slice(first);
      write_ = grpc::ByteBuffer(&slice, 1);
      stub->PrepareBidiStreamingCall(&context_, kMethod, {}, this);
      StartWrite(&write_);
      StartRead(&read_);
      AddHold();  // Writes start from other threads.
      StartCall();
    }
    void OnWriteDone(bool ok) override { link_->WriteDone(this, ok); }
    void OnReadDone(bool ok) override {
      if (!ok) return link_->Broken(this);
      link_->Answered(ToShared(read_).view());
      read_.Clear();
      StartRead(&read_);
    }
    void OnDone(const grpc::Status& status) override {
      link_->Ended(status);
      delete this;
    }
    void Write(const WireMessage& message) {
      write_ = ToBuffer(message);
      StartWrite(&write_);
    }
    void Cancel() { context_.TryCancel(); }

   private:
    const std::shared_ptr<Link> link_;
    grpc::ClientContext context_;
    grpc::ByteBuffer read_;
    grpc::ByteBuffer write_;
  };

  void WriteDone(Stream* stream, bool ok) ABSL_LOCKS_EXCLUDED(mu_);
  void Broken(Stream* stream) ABSL_LOCKS_EXCLUDED(mu_);
  void Answered(absl::string_view bytes);
  void Ended(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  // Gives up writing on the stream: its hold is released exactly once.
  void Release() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Group> group_;
  Executor* const timers_;
  const ReplicaId peer_;
  const Channel channel_;
  const size_t queued_bytes_max_;
  std::shared_ptr<grpc::Channel> grpc_channel_;
  std::unique_ptr<grpc::GenericStub> stub_;

  Mutex mu_;  // Held while gRPC's StartWrite is called; gRPC calls back without it.
  Stream* stream_ ABSL_GUARDED_BY(mu_) = nullptr;  // Open for writing.
  Stream* live_ ABSL_GUARDED_BY(mu_) = nullptr;    // Exists.
  bool is_writing_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<WireMessage> queue_ ABSL_GUARDED_BY(mu_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool was_answered_ ABSL_GUARDED_BY(mu_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mu_) = false;
  absl::Duration redial_ ABSL_GUARDED_BY(mu_) = kRedialFirst;
};

void Link::Dial() {
  // gRPC has a back-off of its own, and answers with its last error as long as
  // that runs. Ours is enough.
  grpc::experimental::ChannelResetConnectionBackoff(grpc_channel_.get());
  const std::string first = FirstMessage(channel_, group_->hello());
  Stream* stream = nullptr;
  {
    MutexLock lock(&mu_);
    if (is_stopped_ || live_ != nullptr) return;
    stream = new Stream(shared_from_this());
    stream_ = live_ = stream;
    is_writing_ = true;  // The hello.
    was_answered_ = false;
    queue_.clear();
    queued_bytes_ = 0;
  }
  stream->Begin(stub_.get(), first);
}

void Link::DialSoon() {
  {
    MutexLock lock(&mu_);
    if (is_stopped_ || was_answered_) return;
    redial_ = kRedialFirst;
    if (live_ != nullptr) return;
  }
  timers_->Post([self = shared_from_this()] { self->Dial(); });
}

void Link::Send(WireMessage message) {
  MutexLock lock(&mu_);
  if (stream_ == nullptr || !was_answered_) return;
  const size_t size = message.size();
  if (queued_bytes_ + size > queued_bytes_max_ && !queue_.empty()) return;
  if (!is_writing_) {
    is_writing_ = true;
    stream_->Write(message);
    return;
  }
  queued_bytes_ += size;
  queue_.push_back(std::move(message));
}

void Link::WriteDone(Stream* stream, bool ok) {
  MutexLock lock(&mu_);
  if (stream_ != stream) return;
  if (!ok) return Release();
  if (queue_.empty()) {
    is_writing_ = false;
    return;
  }
  const WireMessage message = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= message.size();
  stream_->Write(message);
}

void Link::Broken(Stream* stream) {
  MutexLock lock(&mu_);
  if (stream_ == stream) Release();
}

void Link::Release() {
  Stream* const stream = std::exchange(stream_, nullptr);
  if (stream == nullptr) return;
  queue_.clear();
  queued_bytes_ = 0;
  stream->RemoveHold();
}

void Link::Answered(absl::string_view bytes) {
  Hello hello;
  if (bytes.size() < 2 || !DecodeHello(bytes.substr(1), &hello) || hello.replica != peer_) {
    TOTORA_LOG_LIMITED(kError, "raft")
        << Field("peer", peer_) << "its address is answered by another replica";
    return;
  }
  {
    MutexLock lock(&mu_);
    if (was_answered_) return;
    was_answered_ = true;
    redial_ = kRedialFirst;
  }
  group_->Tell([&](TransportReceiver* receiver) {
    receiver->OnConnected(peer_, channel_, hello);
  });
}

void Link::Ended(const grpc::Status& status) {
  const bool is_refused = absl::StrContains(status.error_message(), "refused");
  absl::Duration delay;
  {
    MutexLock lock(&mu_);
    live_ = nullptr;
    stream_ = nullptr;
    if (is_stopped_) return;
    // At once after a stream that worked: whether the peer still listens is
    // what an election waits for.
    delay = was_answered_ ? absl::ZeroDuration() : redial_;
    if (!was_answered_) redial_ = std::min(redial_ * 2, kRedialMax);
    was_answered_ = false;
  }
  if (!status.ok() && !is_refused) {
    TOTORA_LOG_LIMITED(kDebug, "raft") << Field("peer", peer_) << Field("channel", int(channel_))
                                      << "stream ended: " << status.error_message();
  }
  group_->Tell([&](TransportReceiver* receiver) {
    receiver->OnDisconnected(peer_, channel_, is_refused);
  });
  timers_->PostAfter(delay, [self = shared_from_this()] { self->Dial(); });
}

void Link::Stop() {
  MutexLock lock(&mu_);
  is_stopped_ = true;
  if (live_ != nullptr) live_->Cancel();
}

class GrpcTransport : public Transport {
 public:
  GrpcTransport(std::shared_ptr<Groups> groups, Executor* timers, GrpcTransportOptions options)
      : groups_(std::move(groups)),
        timers_(timers),
        options_(std::move(options)),
        group_(std::make_shared<Group>()) {}
  ~GrpcTransport() override { Stop(); }

  void Start(const Hello& self, TransportReceiver* receiver) override {
    for (const auto& [peer, target] : options_.peers) {
      if (peer == self.replica) continue;
      for (int channel = 0; channel < kChannels; ++channel) {
        auto link = std::make_shared<Link>(group_, timers_, peer, static_cast<Channel>(channel),
                                           target, options_.queued_bytes_max);
        links_[{peer, channel}] = link;
      }
    }
    group_->Open(self, receiver, [this](ReplicaId peer) {
      for (int channel = 0; channel < kChannels; ++channel) {
        const auto it = links_.find({peer, channel});
        if (it != links_.end()) it->second->DialSoon();
      }
    });
    groups_->Add(options_.group, group_);
    for (const auto& [key, link] : links_) link->Dial();
  }

  void SetHello(const Hello& self) override { group_->SetHello(self); }

  void Send(ReplicaId to, Channel channel, WireMessage message) override {
    const auto it = links_.find({to, static_cast<int>(channel)});
    if (it != links_.end()) it->second->Send(std::move(message));
  }

  void Stop() override {
    groups_->Remove(options_.group);
    group_->Close();
    for (const auto& [key, link] : links_) link->Stop();
  }

 private:
  const std::shared_ptr<Groups> groups_;
  Executor* const timers_;
  const GrpcTransportOptions options_;
  const std::shared_ptr<Group> group_;
  // Constant after Start.
  std::map<std::pair<ReplicaId, int>, std::shared_ptr<Link>> links_;
};

}  // namespace

class GrpcTransportService::Acceptor {
 public:
  std::shared_ptr<Groups> groups = std::make_shared<Groups>();
  GenericService service{groups};
  ThreadExecutor timers{"raft-dial"};
};

GrpcTransportService::GrpcTransportService() : acceptor_(std::make_unique<Acceptor>()) {}
GrpcTransportService::~GrpcTransportService() = default;

void GrpcTransportService::Register(grpc::ServerBuilder* builder) {
  builder->RegisterCallbackGenericService(&acceptor_->service);
  builder->SetMaxReceiveMessageSize(kMessageBytesMax);
}

std::unique_ptr<Transport> GrpcTransportService::MakeTransport(
    const GrpcTransportOptions& options) {
  return std::make_unique<GrpcTransport>(acceptor_->groups, &acceptor_->timers, options);
}

}  // namespace totora::raft
