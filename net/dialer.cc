#include "net/dialer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "net/connection.h"
#include "net/raw_session.h"
#include "net/socket.h"

namespace totora {
namespace {

using boost::asio::ip::tcp;

// One attempt. Its pending operations keep it alive, and it does not keep the
// loop alive: a loop that ends takes it along.
//
// Thread safety: confined to the loop.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(const std::shared_ptr<net::LoopCore>& core, std::shared_ptr<NetBudget> budget,
          DialOptions options, RawProtocol protocol, absl::AnyInvocable<void(DialFailure)> failed)
      : core_(core.get()),
        shared_core_(core),
        options_(std::move(options)),
        failed_(std::move(failed)),
        resolver_(core_->context()),
        socket_(core_->context()) {
    ListenerProtocols protocols;
    protocols.raw = std::move(protocol);
    serving_ = std::make_shared<net::Serving>("dialled", std::move(budget), std::move(protocols));
  }

  void Begin() {
    const absl::StatusOr<std::pair<std::string, uint16_t>> address =
        net::SplitAddress(options_.address);
    if (!address.ok()) return Fail(address.status(), false);
    core_->PostAfter(options_.timeout, [weak = weak_from_this()] {
      const std::shared_ptr<Attempt> self = weak.lock();
      if (self == nullptr || self->is_over_) return;
      self->Fail(absl::UnavailableError("no answer in time"), false);
      self->resolver_.cancel();
      boost::system::error_code ignored;
      self->socket_.close(ignored);
    });
    const auto& [host, port] = *address;
    boost::system::error_code not_numeric;
    const boost::asio::ip::address numeric = boost::asio::ip::make_address(host, not_numeric);
    if (!not_numeric) return Connect({tcp::endpoint(numeric, port)});
    resolver_.async_resolve(host, absl::StrCat(port),
                            [self = shared_from_this()](const boost::system::error_code& error,
                                                        const tcp::resolver::results_type& found) {
                              if (self->is_over_) return;
                              const net::LoopCore::Turn turn(self->core_);
                              if (error)
                                return self->Fail(absl::UnavailableError(error.message()), false);
                              std::vector<tcp::endpoint> endpoints;
                              for (const auto& entry : found) endpoints.push_back(entry.endpoint());
                              self->Connect(std::move(endpoints));
                            });
  }

 private:
  void Connect(std::vector<tcp::endpoint> endpoints) {
    endpoints_ = std::move(endpoints);
    boost::asio::async_connect(socket_, endpoints_,
                               [self = shared_from_this()](const boost::system::error_code& error,
                                                           const tcp::endpoint& peer) {
                                 if (self->is_over_) return;
                                 const net::LoopCore::Turn turn(self->core_);
                                 if (error) {
                                   return self->Fail(
                                       absl::UnavailableError(error.message()),
                                       error == boost::asio::error::connection_refused);
                                 }
                                 self->Succeed(peer);
                               });
  }

  void Succeed(const tcp::endpoint& peer) {
    NetBudget& budget = *serving_->budget;
    if (!NetBudget::Take(&budget.counters().connections, 1, budget.limits().connections_max)) {
      boost::system::error_code ignored;
      socket_.close(ignored);
      return Fail(absl::ResourceExhaustedError("too many connections"), false);
    }
    is_over_ = true;
    serving_->connections.fetch_add(1, std::memory_order_relaxed);
    boost::system::error_code error;
    socket_.native_non_blocking(true, error);
    const int fd = socket_.release(error);
    net::SetConnectionOptions(fd);
    const unsigned timeout_ms = static_cast<unsigned>(absl::ToInt64Milliseconds(options_.timeout));
    ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    ConnectionInfo info;
    info.id = net::NextConnectionId();
    info.peer = absl::StrCat(peer.address().to_string(), ":", peer.port());
    info.local_address = net::LocalAddress(fd);
    info.listener_tag = serving_->tag;
    const auto connection =
        std::make_shared<net::Connection>(shared_core_.lock(), serving_, fd, std::move(info));
    connection->Start();
    if (!connection->is_open()) return;
    std::unique_ptr<net::RawSession> session =
        net::RawSession::Make(connection.get(), serving_->protocols.raw);
    if (session == nullptr) return connection->Close("refused by its own handler");
    connection->Become(std::move(session), "");
  }

  void Fail(absl::Status status, bool is_refused) {
    if (std::exchange(is_over_, true)) return;
    std::move(failed_)(DialFailure{std::move(status), is_refused});
  }

  net::LoopCore* const core_;
  const std::weak_ptr<net::LoopCore> shared_core_;
  const DialOptions options_;
  absl::AnyInvocable<void(DialFailure)> failed_;
  std::shared_ptr<net::Serving> serving_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  std::vector<tcp::endpoint> endpoints_;
  bool is_over_ = false;
};

}  // namespace

void DialRaw(EventLoop* loop, std::shared_ptr<NetBudget> budget, DialOptions options,
             RawProtocol protocol, absl::AnyInvocable<void(DialFailure)> failed) {
  auto attempt = std::make_shared<Attempt>(loop->core(), std::move(budget), std::move(options),
                                           std::move(protocol), std::move(failed));
  loop->Post([attempt = std::move(attempt)] { attempt->Begin(); });
}

}  // namespace totora
