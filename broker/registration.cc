#include "broker/registration.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/route_book.h"
#include "broker/service/topic_directory.h"
#include "broker/wire_model.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/thread_executor.h"
#include "proto/admin.pb.h"
#include "proto/namesrv.grpc.pb.h"

namespace totora::broker {
namespace {

constexpr absl::Duration kRepeat = absl::Seconds(30);
constexpr absl::Duration kRedial = absl::Milliseconds(200);
// Changes kept to bring a nameserver up to date without the whole table.
constexpr size_t kBatchesKept = 1000;

}  // namespace

// What is told, and to whom.
//
// Thread safety: monitor.
struct Registration::State : std::enable_shared_from_this<State> {
  struct Batch {
    uint64_t base;
    uint64_t version;
    std::vector<TopicChange> changes;
  };
  struct Waiter {
    uint64_t number;
    uint64_t version;
    absl::AnyInvocable<void()> done;
  };

  RegistrationOptions options;
  const service::TopicDirectory* topics = nullptr;
  RouteBook book;  // A monitor of its own.
  std::vector<std::shared_ptr<Link>> links;  // Constant after Start.
  std::unique_ptr<ThreadExecutor> timers;

  Mutex mu;  // Leaf.
  raft::ReplicaStatus status ABSL_GUARDED_BY(mu);
  uint64_t topic_version ABSL_GUARDED_BY(mu) = 0;
  std::deque<Batch> batches ABSL_GUARDED_BY(mu);
  std::map<const Link*, uint64_t> told ABSL_GUARDED_BY(mu);  // Of connected nameservers.
  std::vector<Waiter> waiters ABSL_GUARDED_BY(mu);
  uint64_t next_waiter ABSL_GUARDED_BY(mu) = 1;

  // A report for a nameserver that has the topics up to `known` (nothing: do
  // not send topics).
  namesrv::RegisterRequest Report(std::optional<uint64_t> known) ABSL_LOCKS_EXCLUDED(mu);
  void FillChanges(uint64_t known, namesrv::GroupReport* report)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  uint64_t TopicVersion() ABSL_LOCKS_EXCLUDED(mu) {
    MutexLock lock(&mu);
    return topic_version;
  }
  void Told(const Link* link, std::optional<uint64_t> version) ABSL_LOCKS_EXCLUDED(mu);
  void PumpAll();
  void RepeatLater();
};

// The stream to one nameserver; dials again and again.
//
// Thread safety: monitor.
class Registration::Link : public std::enable_shared_from_this<Link> {
 public:
  Link(std::weak_ptr<State> state, size_t number, const std::string& target)
      : state_(std::move(state)), number_(number), target_(target) {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
    args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
    args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
    args.SetMaxReceiveMessageSize(16 << 20);
    channel_ = grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), args);
    stub_ = namesrv::Registration::NewStub(channel_);
  }

  void Dial() ABSL_LOCKS_EXCLUDED(mu_) {
    // Instead of gRPC's own back-off, for names that cannot be resolved yet, too.
    grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
    auto* stream = new Stream(shared_from_this());
    {
      MutexLock lock(&mu_);
      if (is_stopped_) {
        delete stream;
        return;
      }
      is_writing_ = false;
      is_first_ = true;
      is_dirty_ = true;
      known_.reset();
      sequence_ = 0;
      // Begun before others see it: a write needs a stream that was started.
      stream->Begin(stub_.get());
      stream_ = live_ = stream;
    }
    Pump(false);
  }

  // Tells what there is to tell; `with_report`: the status changed or it is time.
  void Pump(bool with_report) ABSL_LOCKS_EXCLUDED(mu_) {
    const std::shared_ptr<State> state = state_.lock();
    if (state == nullptr) return;
    const uint64_t version = state->TopicVersion();
    MutexLock lock(&mu_);
    is_dirty_ = is_dirty_ || with_report;
    if (stream_ == nullptr || is_writing_) return;
    const bool has_topics = known_.has_value() && *known_ != version && !awaits_topics_;
    if (!is_dirty_ && !has_topics) return;
    namesrv::RegisterRequest request =
        state->Report(has_topics ? known_ : std::optional<uint64_t>());
    request.set_sequence(++sequence_);
    if (std::exchange(is_first_, false)) {
      namesrv::ProcessHello* hello = request.mutable_hello();
      hello->set_process(state->options.process);
      hello->set_incarnation(state->options.incarnation);
      hello->set_cluster(state->options.cluster);
      hello->set_version(state->options.version);
      FillAddress(state->options.internal_address, hello->mutable_internal_address());
    }
    awaits_topics_ = awaits_topics_ || has_topics;
    is_dirty_ = false;
    is_writing_ = true;
    stream_->Write(std::move(request));
  }

  void Stop() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    is_stopped_ = true;
    if (live_ != nullptr) live_->Cancel();
  }

 private:
  // One stream's life. Deletes itself.
  class Stream
      : public grpc::ClientBidiReactor<namesrv::RegisterRequest, namesrv::RegisterReply> {
   public:
    explicit Stream(std::shared_ptr<Link> link) : link_(std::move(link)) {}
    void Begin(namesrv::Registration::Stub* stub) {
      stub->async()->Register(&context_, this);
      AddHold();  // Writes start from other threads.
      StartRead(&reply_);
      StartCall();
    }
    void Write(namesrv::RegisterRequest request) {
      request_ = std::move(request);
      StartWrite(&request_);
    }
    void Cancel() { context_.TryCancel(); }
    void OnWriteDone(bool ok) override { link_->WriteDone(this, ok); }
    void OnReadDone(bool ok) override {
      if (!ok) return link_->Broken(this);
      if (!link_->Answered(reply_)) context_.TryCancel();
      StartRead(&reply_);
    }
    void OnDone(const grpc::Status& status) override {
      link_->Ended(status);
      delete this;
    }

   private:
    const std::shared_ptr<Link> link_;
    grpc::ClientContext context_;
    namesrv::RegisterRequest request_;
    namesrv::RegisterReply reply_;
  };

  void WriteDone(Stream* stream, bool ok) ABSL_LOCKS_EXCLUDED(mu_) {
    if (!ok) return Broken(stream);
    {
      MutexLock lock(&mu_);
      if (stream_ != stream) return;
      is_writing_ = false;
    }
    Pump(false);
  }

  void Broken(Stream* stream) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    if (stream_ != stream) return;
    stream_ = nullptr;
    stream->RemoveHold();
  }

  bool Answered(const namesrv::RegisterReply& reply) ABSL_LOCKS_EXCLUDED(mu_) {
    const std::shared_ptr<State> state = state_.lock();
    if (state == nullptr) return false;
    bool is_fine = true;
    if (reply.has_update()) is_fine = state->book.Take(number_, reply.update());
    for (const namesrv::TopicVersion& version : reply.topic_versions()) {
      if (version.group_name() != state->options.group_name) continue;
      {
        MutexLock lock(&mu_);
        known_ = version.version();
        awaits_topics_ = false;
      }
      state->Told(this, version.version());
    }
    Pump(false);
    return is_fine;
  }

  void Ended(const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    const std::shared_ptr<State> state = state_.lock();
    {
      MutexLock lock(&mu_);
      live_ = nullptr;
      stream_ = nullptr;
      awaits_topics_ = false;
      if (is_stopped_ || state == nullptr) return;
    }
    state->book.Disconnected(number_);
    state->Told(this, std::nullopt);
    TOTORA_LOG_LIMITED(kDebug, "registration")
        << Field("nameserver", target_) << "stream ended: " << status.error_message();
    state->timers->PostAfter(kRedial, [self = shared_from_this()] { self->Dial(); });
  }

  const std::weak_ptr<State> state_;
  const size_t number_;
  const std::string target_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<namesrv::Registration::Stub> stub_;

  // Taken before State::mu (Report). Held while StartWrite is called, which
  // never calls back inline.
  Mutex mu_;
  Stream* stream_ ABSL_GUARDED_BY(mu_) = nullptr;
  Stream* live_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool is_writing_ ABSL_GUARDED_BY(mu_) = false;
  bool is_first_ ABSL_GUARDED_BY(mu_) = true;
  bool is_dirty_ ABSL_GUARDED_BY(mu_) = true;
  bool awaits_topics_ ABSL_GUARDED_BY(mu_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t sequence_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<uint64_t> known_ ABSL_GUARDED_BY(mu_);  // Topics that the nameserver has.
};

namesrv::RegisterRequest Registration::State::Report(std::optional<uint64_t> known) {
  namesrv::RegisterRequest request;
  request.set_is_full(true);
  namesrv::GroupReport* report = request.add_groups();
  report->set_group_id(options.group.value());
  report->set_group_name(options.group_name);
  report->set_replica_id(options.self.value());
  for (const ListenerAddress& listener : options.listeners) {
    model::Listener* out = report->add_listeners();
    out->set_name(listener.name);
    out->set_protocol(model::Listener::ANY);
    FillAddress(listener.address, out->mutable_address());
    if (listener.group_address) {
      FillAddress(*listener.group_address, out->mutable_group_address());
    }
  }
  MutexLock lock(&mu);
  report->set_role(ToModel(status.role));
  report->set_term(status.term.value());
  report->set_leader_id(status.leader.value());
  report->set_topic_version(topic_version);
  if (known) FillChanges(*known, report);
  return request;
}

void Registration::State::FillChanges(uint64_t known, namesrv::GroupReport* report) {
  namesrv::TopicChanges* changes = report->mutable_topic_changes();
  changes->set_version(topic_version);
  const auto first = std::find_if(batches.begin(), batches.end(),
                                  [known](const Batch& batch) { return batch.base == known; });
  if (known != 0 && first != batches.end()) {
    changes->set_base_version(known);
    for (auto batch = first; batch != batches.end(); ++batch) {
      for (const TopicChange& change : batch->changes) {
        namesrv::TopicDelta* delta = changes->add_topics();
        delta->mutable_topic()->set_name(change.name);
        delta->set_is_deleted(!change.config.has_value());
        if (change.config) FillTopic(*change.config, delta->mutable_topic());
      }
    }
    return;
  }
  for (const store::TopicConfig& config : topics->All()) {
    FillTopic(config, changes->add_topics()->mutable_topic());
  }
}

void Registration::State::Told(const Link* link, std::optional<uint64_t> version) {
  std::vector<Waiter> ready;
  {
    MutexLock lock(&mu);
    if (version) {
      told[link] = *version;
    } else {
      told.erase(link);
    }
    uint64_t everybody = UINT64_MAX;
    for (const auto& [known_link, known] : told) everybody = std::min(everybody, known);
    std::vector<Waiter> waiting;
    for (Waiter& waiter : waiters) {
      (waiter.version > everybody ? waiting : ready).push_back(std::move(waiter));
    }
    waiters = std::move(waiting);
  }
  for (Waiter& waiter : ready) waiter.done();
}

void Registration::State::PumpAll() {
  for (const std::shared_ptr<Link>& link : links) link->Pump(true);
}

void Registration::State::RepeatLater() {
  timers->PostAfter(kRepeat, [weak = weak_from_this()] {
    if (auto state = weak.lock()) {
      state->PumpAll();
      state->RepeatLater();
    }
  });
}

Registration::Registration(const RegistrationOptions& options,
                           const service::TopicDirectory* topics)
    : state_(std::make_shared<State>()) {
  state_->options = options;
  state_->topics = topics;
  state_->timers = std::make_unique<ThreadExecutor>("registration");
}

Registration::~Registration() { Stop(); }

void Registration::Start() {
  for (size_t i = 0; i < state_->options.nameservers.size(); ++i) {
    state_->links.push_back(std::make_shared<Link>(state_, i, state_->options.nameservers[i]));
  }
  for (const auto& link : state_->links) link->Dial();
  state_->RepeatLater();
}

void Registration::Stop() {
  for (const auto& link : state_->links) link->Stop();
  state_->timers->Stop();
}

void Registration::SetStatus(const raft::ReplicaStatus& status) {
  {
    MutexLock lock(&state_->mu);
    state_->status = status;
  }
  // Not on the caller's thread: it is the replica's.
  state_->timers->Post([state = state_] { state->PumpAll(); });
}

void Registration::TopicsChanged(uint64_t version, std::vector<TopicChange> changes) {
  {
    MutexLock lock(&state_->mu);
    state_->batches.push_back({state_->topic_version, version, std::move(changes)});
    if (state_->batches.size() > kBatchesKept) state_->batches.pop_front();
    state_->topic_version = version;
  }
  state_->timers->Post([state = state_] {
    for (const auto& link : state->links) link->Pump(false);
  });
}

void Registration::WhenTopicsTold(absl::Duration timeout, absl::AnyInvocable<void()> done) {
  uint64_t number = 0;
  {
    MutexLock lock(&state_->mu);
    const uint64_t version = state_->topic_version;
    const bool is_told =
        std::all_of(state_->told.begin(), state_->told.end(),
                    [version](const auto& entry) { return entry.second >= version; });
    if (!is_told) {
      number = state_->next_waiter++;
      state_->waiters.push_back({number, state_->topic_version, std::move(done)});
    }
  }
  if (number == 0) return done();
  state_->timers->PostAfter(timeout, [state = state_, number] {
    absl::AnyInvocable<void()> late;
    {
      MutexLock lock(&state->mu);
      for (auto it = state->waiters.begin(); it != state->waiters.end(); ++it) {
        if (it->number != number) continue;
        late = std::move(it->done);
        state->waiters.erase(it);
        break;
      }
    }
    if (late) late();
  });
}

namespace {

// That of this name, else the first; null if there is none.
const model::Listener* FindListener(const namesrv::ReplicaRoute& replica, absl::string_view name) {
  const model::Listener* best = nullptr;
  for (const model::Listener& candidate : replica.listeners()) {
    if (best == nullptr || candidate.name() == std::string(name)) best = &candidate;
  }
  return best;
}

}  // namespace

std::vector<service::GroupRoute> Registration::Find(absl::string_view topic,
                                                    absl::string_view listener) const {
  std::vector<service::GroupRoute> routes;
  // Exactly one address a group: the group address, else the serving replica's.
  const auto add = [&](const std::string& name, const namesrv::GroupRoute& group,
                       const store::TopicConfig& config) {
    for (const namesrv::ReplicaRoute& replica : group.replicas()) {
      if (replica.replica_id() != group.serving_replica_id()) continue;
      const model::Listener* const best = FindListener(replica, listener);
      if (best == nullptr) continue;
      routes.push_back({name,
                        ToAddress(best->has_group_address() ? best->group_address()
                                                            : best->address()),
                        config});
    }
  };
  const RegistrationOptions& options = state_->options;
  for (const RouteBook::TopicInGroup& found : state_->book.FindTopic(topic)) {
    if (found.group.group_name() == options.group_name) continue;
    add(found.group.group_name(), found.group, ToTopicConfig(found.topic));
  }
  if (const auto own = state_->topics->Find(topic)) {
    const ListenerAddress* here = &options.listeners.front();
    for (const ListenerAddress& candidate : options.listeners) {
      if (candidate.name == listener) here = &candidate;
    }
    const size_t before = routes.size();
    ReplicaId leader;
    {
      MutexLock lock(&state_->mu);
      leader = state_->status.leader;
    }
    if (!here->group_address && leader != options.self) {
      std::optional<namesrv::GroupRoute> group = state_->book.FindGroup(options.group_name);
      if (group) {
        // We know who leads before the nameserver does.
        if (leader.value() != 0) group->set_serving_replica_id(leader.value());
        add(options.group_name, *group, own->config);
      }
    }
    if (routes.size() == before) {
      routes.push_back({options.group_name, here->group_address.value_or(here->address),
                        own->config});
    }
  }
  std::sort(routes.begin(), routes.end(),
            [](const service::GroupRoute& a, const service::GroupRoute& b) {
              return a.broker_name < b.broker_name;
            });
  return routes;
}

std::vector<service::GroupMembers> Registration::Groups(absl::string_view listener) const {
  const RegistrationOptions& options = state_->options;
  ReplicaId leader;
  {
    MutexLock lock(&state_->mu);
    leader = state_->status.leader;
  }
  std::vector<service::GroupMembers> all;
  bool has_own = false;
  for (auto& [group, topic_count] : state_->book.Groups()) {
    const bool is_own = group.group_name() == options.group_name;
    // We know who leads before the nameserver does.
    const uint32_t serving =
        is_own && leader.value() != 0 ? leader.value() : group.serving_replica_id();
    service::GroupMembers members;
    members.cluster = group.cluster();
    members.broker_name = group.group_name();
    for (const namesrv::ReplicaRoute& replica : group.replicas()) {
      const model::Listener* const own = FindListener(replica, listener);
      if (!replica.is_alive() || own == nullptr) continue;
      // As the nameserver does it: namesrv/classic_routes.cc.
      if (own->has_group_address()) members.serving = ToAddress(own->group_address());
      if (!own->has_group_address() && replica.replica_id() == serving) {
        members.serving = ToAddress(own->address());
      } else {
        members.others.push_back(ToAddress(own->address()));
      }
    }
    if (members.serving.host.empty()) {
      if (members.others.empty()) continue;
      members.serving = members.others.front();
      members.others.erase(members.others.begin());
    }
    has_own = has_own || is_own;
    all.push_back(std::move(members));
  }
  if (!has_own) {
    all.push_back(
        {options.cluster, options.group_name, options.listeners.front().address, {}});
  }
  std::sort(all.begin(), all.end(),
            [](const service::GroupMembers& a, const service::GroupMembers& b) {
              return a.broker_name < b.broker_name;
            });
  return all;
}

bool Registration::IsConnected() const { return state_->book.IsConnected(); }

bool Registration::NameserverNamesALeader() const {
  const std::optional<namesrv::GroupRoute> group =
      state_->book.FindGroup(state_->options.group_name);
  if (!group) return false;
  MutexLock lock(&state_->mu);
  if (group->term() < state_->status.term.value()) return false;
  for (const namesrv::ReplicaRoute& replica : group->replicas()) {
    if (replica.replica_id() == group->leader_id() && replica.is_alive() &&
        replica.replica_id() != state_->options.self.value()) {
      return true;
    }
  }
  return false;
}

void Registration::FillClusterStatus(admin::ClusterStatusReply* reply) const {
  for (const auto& [group, topic_count] : state_->book.Groups()) {
    admin::GroupOverview* out = reply->add_groups();
    out->set_group_id(group.group_id());
    out->set_group_name(group.group_name());
    out->set_term(group.term());
    out->set_leader_id(group.leader_id());
    out->set_topic_count(static_cast<uint32_t>(topic_count));
    for (const namesrv::ReplicaRoute& replica : group.replicas()) {
      admin::ReplicaOverview* overview = out->add_replicas();
      overview->set_replica_id(replica.replica_id());
      overview->set_process(replica.process());
      overview->set_role(replica.role());
      overview->set_is_alive(replica.is_alive());
      *overview->mutable_listeners() = replica.listeners();
      *overview->mutable_internal_address() = replica.internal_address();
    }
  }
}

}  // namespace totora::broker
