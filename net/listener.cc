#include "net/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/log.h"
#include "common/mutex.h"
#include "common/status.h"
#include "net/connection.h"
#include "net/socket.h"

namespace totora {
namespace {

// Other things of the loop must have their turn in a storm of connections.
constexpr int kAcceptsPerTurn = 64;

struct AddrInfoFree {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

absl::StatusOr<std::unique_ptr<addrinfo, AddrInfoFree>> Resolve(const std::string& address) {
  TOTORA_ASSIGN_OR_RETURN(const auto host_and_port, net::SplitAddress(address));
  const auto& [host, port] = host_and_port;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.empty() ? nullptr : host.c_str(), absl::StrCat(port).c_str(),
                                &hints, &found);
  if (error != 0) {
    return absl::InvalidArgumentError(absl::StrCat(address, ": ", gai_strerror(error)));
  }
  return std::unique_ptr<addrinfo, AddrInfoFree>(found);
}

absl::StatusOr<int> OpenSocket(const ListenerOptions& options) {
  TOTORA_ASSIGN_OR_RETURN(const auto found, Resolve(options.address));
  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "socket");
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (options.reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, options.backlog) != 0) {
    const int error = errno;
    ::close(fd);
    return ErrnoStatus(error, absl::StrCat("listen on ", options.address));
  }
  return fd;
}

// Counts down when it is destroyed, so that a task that a stopped loop drops
// counts as done.
class WaitGroup {
 public:
  void Add() {
    MutexLock lock(&mu_);
    ++count_;
  }
  void Done() {
    MutexLock lock(&mu_);
    if (--count_ == 0) zero_.SignalAll();
  }
  void Wait() {
    MutexLock lock(&mu_);
    while (count_ > 0) zero_.Wait(&mu_);
  }

 private:
  Mutex mu_;  // Leaf.
  CondVar zero_;
  int count_ ABSL_GUARDED_BY(mu_) = 0;
};

class Pending {
 public:
  explicit Pending(std::shared_ptr<WaitGroup> group) : group_(std::move(group)) { group_->Add(); }
  Pending(Pending&& other) noexcept = default;
  ~Pending() {
    if (group_) group_->Done();
  }

 private:
  std::shared_ptr<WaitGroup> group_;
};

}  // namespace

// The listening socket and its place on a loop.
//
// Thread safety: what Start sets is constant afterwards; `socket_` and
// `reserve_` are confined to the accepting loop.
class Listener::Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(ListenerOptions options, int fd)
      : options_(std::move(options)), address_(net::LocalAddress(fd)), fd_(fd) {
    TOTORA_CHECK(absl::SimpleAtoi(address_.substr(address_.rfind(':') + 1), &port_)) << address_;
  }
  ~Acceptor() {
    if (fd_ >= 0) ::close(fd_);
    if (reserve_ >= 0) ::close(reserve_);
  }

  const std::string& address() const { return address_; }
  int port() const { return port_; }

  void Start(EventLoopPool* loops, std::shared_ptr<NetBudget> budget, ListenerProtocols protocols) {
    TOTORA_CHECK(serving_ == nullptr) << "a listener is started once";
    loops_ = loops;
    serving_ =
        std::make_shared<net::Serving>(options_.tag, std::move(budget), std::move(protocols));
    home_ = loops->Next()->core();
    home_->Post([self = shared_from_this()] {
      if (self->fd_ < 0) return;
      self->socket_ = std::make_unique<boost::asio::posix::stream_descriptor>(
          self->home_->context(), std::exchange(self->fd_, -1));
      self->OpenReserve();
      self->Arm();
    });
  }

  void StopAccepting() {
    if (serving_ == nullptr) {
      if (fd_ >= 0) ::close(std::exchange(fd_, -1));
      return;
    }
    const auto group = std::make_shared<WaitGroup>();
    home_->Post([self = shared_from_this(), pending = Pending(group)] {
      if (self->socket_ == nullptr) return;
      const net::LoopCore::Turn turn(self->home_.get());
      while (self->Accept()) {
      }
      self->CloseSocket();
    });
    WaitUnlessOnLoop(group.get());
  }

  void Drain() {
    if (serving_ == nullptr) return;
    serving_->draining.store(true);
    ForEachConnection([](net::Connection* connection) { connection->Drain(); });
  }

  void CloseAll() {
    if (serving_ == nullptr) return;
    WaitUnlessOnLoop(ForEachConnection([](net::Connection* connection) {
                       connection->Close("listener stopped");
                     }).get());
  }

  int64_t connections() const { return serving_ == nullptr ? 0 : serving_->connections.load(); }

 private:
  void WaitUnlessOnLoop(WaitGroup* group) {
    for (size_t i = 0; i < loops_->size(); ++i) {
      if (loops_->loop(i)->IsCurrent()) return;
    }
    group->Wait();
  }

  std::shared_ptr<WaitGroup> ForEachConnection(void (*action)(net::Connection*)) {
    auto group = std::make_shared<WaitGroup>();
    for (size_t i = 0; i < loops_->size(); ++i) {
      const std::shared_ptr<net::LoopCore>& core = loops_->loop(i)->core();
      core->Post([action, serving = serving_, core, pending = Pending(group)] {
        std::vector<std::shared_ptr<net::Connection>> ours;
        for (const auto& connection : core->connections()) {
          if (connection->serving() == serving) ours.push_back(connection);
        }
        for (const auto& connection : ours) action(connection.get());
      });
    }
    return group;
  }

  void Arm() {
    socket_->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                        [self = shared_from_this()](const boost::system::error_code& error) {
                          if (error || self->socket_ == nullptr) return;
                          const net::LoopCore::Turn turn(self->home_.get());
                          self->AcceptSome();
                        });
  }

  void AcceptSome() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      if (!Accept()) return;
    }
    Arm();
  }

  // One connection. False if there is none, or accepting has to pause; what
  // has to happen next is arranged then.
  bool Accept() {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = ::accept4(socket_->native_handle(), reinterpret_cast<sockaddr*>(&peer), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Admit(fd, peer);
      return true;
    }
    switch (errno) {
      case EAGAIN:
        Arm();
        return false;
      case EINTR:
      case ECONNABORTED:
      case EPROTO:
      case EPERM:
        return true;
      case EMFILE:
      case ENFILE:
        TurnAwayWithReserve();
        BackOff();
        return false;
      default:
        TOTORA_LOG_LIMITED(kWarn, "net") << Field("error", errno) << "accept failed";
        BackOff();
        return false;
    }
  }

  // Without a free descriptor a connection cannot even be refused, and would
  // keep the socket readable for ever: give up the spare one for a moment.
  void TurnAwayWithReserve() {
    serving_->budget->counters().CountRefusal(NetRefusal::kDescriptorsExhausted);
    TOTORA_LOG_LIMITED(kWarn, "net")
        << Field("listener", options_.tag) << "no descriptor left for a new connection";
    if (reserve_ < 0) return;
    ::close(std::exchange(reserve_, -1));
    const int fd = ::accept4(socket_->native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) ::close(fd);
    OpenReserve();
  }

  void OpenReserve() {
    if (reserve_ < 0) reserve_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }

  void BackOff() {
    home_->PostAfter(serving_->budget->limits().accept_backoff, [self = shared_from_this()] {
      if (self->socket_ == nullptr) return;
      self->OpenReserve();
      self->AcceptSome();
    });
  }

  void Admit(int fd, const sockaddr_storage& peer) {
    NetBudget& budget = *serving_->budget;
    const bool fits_here = NetBudget::Take(&serving_->connections, 1, options_.connections_max);
    if (!fits_here ||
        !NetBudget::Take(&budget.counters().connections, 1, budget.limits().connections_max)) {
      if (fits_here) NetBudget::Give(&serving_->connections, 1);
      budget.counters().CountRefusal(NetRefusal::kConnectionsMax);
      TOTORA_LOG_LIMITED(kWarn, "net")
          << Field("listener", options_.tag) << Field("peer", net::AddressText(peer))
          << "too many connections";
      ::close(fd);
      return;
    }
    budget.counters().connections_accepted.fetch_add(1, std::memory_order_relaxed);
    net::SetConnectionOptions(fd);
    ConnectionInfo info;
    info.id = net::NextConnectionId();
    info.peer = net::AddressText(peer);
    info.local_address = net::LocalAddress(fd);
    info.listener_tag = options_.tag;
    const std::shared_ptr<net::LoopCore> core = loops_->Next()->core();
    // Registering the descriptor with another loop's poller is allowed from
    // here; everything else happens there.
    auto connection = std::make_shared<net::Connection>(core, serving_, fd, std::move(info));
    core->Post([connection = std::move(connection)] { connection->Start(); });
  }

  void CloseSocket() {
    boost::system::error_code ignored;
    socket_->close(ignored);
    socket_ = nullptr;
    if (reserve_ >= 0) ::close(std::exchange(reserve_, -1));
  }

  const ListenerOptions options_;
  const std::string address_;
  int port_ = 0;
  int fd_;  // Until Start.
  EventLoopPool* loops_ = nullptr;
  std::shared_ptr<net::Serving> serving_;
  std::shared_ptr<net::LoopCore> home_;
  std::unique_ptr<boost::asio::posix::stream_descriptor> socket_;
  int reserve_ = -1;
};

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(ListenerOptions options) {
  TOTORA_ASSIGN_OR_RETURN(const int fd, OpenSocket(options));
  return std::unique_ptr<Listener>(
      new Listener(std::make_shared<Acceptor>(std::move(options), fd)));
}

Listener::Listener(std::shared_ptr<Acceptor> acceptor) : acceptor_(std::move(acceptor)) {}
Listener::~Listener() { Stop(); }

int Listener::port() const { return acceptor_->port(); }
const std::string& Listener::address() const { return acceptor_->address(); }

void Listener::Start(EventLoopPool* loops, std::shared_ptr<NetBudget> budget,
                     ListenerProtocols protocols) {
  acceptor_->Start(loops, std::move(budget), std::move(protocols));
}

void Listener::StopAccepting() { acceptor_->StopAccepting(); }

void Listener::Drain() {
  acceptor_->StopAccepting();
  acceptor_->Drain();
}

void Listener::CloseAll() { acceptor_->CloseAll(); }
int64_t Listener::connections() const { return acceptor_->connections(); }

void Listener::Stop() {
  if (std::exchange(stopped_, true)) return;
  acceptor_->StopAccepting();
  acceptor_->CloseAll();
}

}  // namespace totora
