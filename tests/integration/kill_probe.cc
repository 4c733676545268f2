#include "tests/integration/kill_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/status.h"

namespace totora::integration {
namespace {

constexpr absl::Duration kAskInterval = absl::Milliseconds(2);

absl::Duration SteadyNow() { return Clock::System()->SteadyNow(); }

// Waits until the peer of `fd` is gone.
absl::Duration WatchReset(int fd, absl::Duration begin, absl::Duration patience) {
  while (SteadyNow() - begin < patience) {
    pollfd item{.fd = fd, .events = POLLIN | POLLRDHUP, .revents = 0};
    if (poll(&item, 1, 20) <= 0) continue;
    char buffer[4096];
    const ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) continue;  // Its greeting.
    return SteadyNow() - begin;
  }
  return absl::InfiniteDuration();
}

absl::Duration WatchElection(const Cluster& cluster, const std::vector<int>& survivors,
                             uint64_t old_term, absl::Duration begin, absl::Duration patience) {
  while (SteadyNow() - begin < patience) {
    for (const int id : survivors) {
      const absl::StatusOr<ReplicaView> view = cluster.Look(id);
      if (view.ok() && view->is_leader && view->term > old_term) return SteadyNow() - begin;
    }
    absl::SleepFor(kAskInterval);
  }
  return absl::InfiniteDuration();
}

}  // namespace

absl::StatusOr<int> ConnectTcp(const std::string& address) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("not an IPv4 address with port: ", address));
  }
  to.sin_port = htons(static_cast<uint16_t>(port));
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "socket");
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
    const int error = errno;
    close(fd);
    return absl::UnavailableError(
        absl::StrCat("connect ", address, ": ", ErrnoStatus(error, "").message()));
  }
  return fd;
}

absl::StatusOr<KillTimes> KillAndWatch(Cluster* cluster, const std::vector<int>& victims,
                                       bool with_reset, bool with_election,
                                       absl::Duration patience) {
  std::vector<int> survivors;
  uint64_t term = 0;
  for (const BrokerProcess& broker : cluster->brokers()) {
    if (std::find(victims.begin(), victims.end(), broker.id) != victims.end()) continue;
    survivors.push_back(broker.id);
    if (!with_election) continue;
    // Whom we ask may be slow to answer on a busy machine.
    absl::StatusOr<ReplicaView> view = cluster->Look(broker.id);
    const absl::Duration give_up = SteadyNow() + patience;
    while (!view.ok() && SteadyNow() < give_up) view = cluster->Look(broker.id);
    if (!view.ok()) return view.status();
    term = std::max(term, view->term);
  }
  int fd = -1;
  if (with_reset) {
    TOTORA_ASSIGN_OR_RETURN(fd, ConnectTcp(cluster->broker(victims.front()).address));
  }

  KillTimes times;
  times.wall = absl::Now();
  times.steady = SteadyNow();
  std::thread reset;
  if (fd >= 0) {
    reset = std::thread([&times, fd, begin = times.steady, patience] {
      times.reset = WatchReset(fd, begin, patience);
    });
  }
  cluster->Kill(victims);
  if (with_election && !survivors.empty()) {
    times.elected = WatchElection(*cluster, survivors, term, times.steady, patience);
  }
  if (reset.joinable()) reset.join();
  if (fd >= 0) close(fd);
  return times;
}

}  // namespace totora::integration
