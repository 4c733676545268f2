#include "bench/floor_bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/status.h"

namespace totora::bench {
namespace {

constexpr size_t kFileBytes = 64 << 20;
constexpr int kReplicas = 3;  // 0 leads.

bool ReadFully(int fd, char* to, size_t size) {
  while (size > 0) {
    const ssize_t n = read(fd, to, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

bool WriteFully(int fd, const char* from, size_t size) {
  while (size > 0) {
    const ssize_t n = send(fd, from, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    from += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

void SetNoDelay(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

// A listening socket on a loopback port of the kernel's choice.
absl::StatusOr<int> Listen(sockaddr_in* address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "socket");
  *address = {};
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(*address);
  if (bind(fd, reinterpret_cast<sockaddr*>(address), length) != 0 || listen(fd, 4) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(address), &length) != 0) {
    const absl::Status status = ErrnoStatus(errno, "listen on loopback");
    close(fd);
    return status;
  }
  return fd;
}

absl::StatusOr<int> Connect(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus(errno, "socket");
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const absl::Status status = ErrnoStatus(errno, "connect");
    close(fd);
    return status;
  }
  SetNoDelay(fd);
  return fd;
}

// A file whose blocks exist, so that fdatasync has no metadata to write.
absl::StatusOr<int> PrepareFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("create ", path));
  const std::string zeros(1 << 20, '\0');
  for (size_t at = 0; at < kFileBytes; at += zeros.size()) {
    if (pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(at)) !=
        static_cast<ssize_t>(zeros.size())) {
      const absl::Status status = ErrnoStatus(errno, absl::StrCat("write ", path));
      close(fd);
      return status;
    }
  }
  if (fsync(fd) != 0) {
    const absl::Status status = ErrnoStatus(errno, absl::StrCat("sync ", path));
    close(fd);
    return status;
  }
  return fd;
}

// Appends block after block, from the start again at the end of the file.
class BlockFile {
 public:
  explicit BlockFile(int fd) : fd_(fd) {}
  bool Append(const std::string& block) {
    if (at_ + block.size() > kFileBytes) at_ = 0;
    const ssize_t n = pwrite(fd_, block.data(), block.size(), static_cast<off_t>(at_));
    at_ += block.size();
    return n == static_cast<ssize_t>(block.size()) && fdatasync(fd_) == 0;
  }

 private:
  const int fd_;
  size_t at_ = 0;
};

// Both run in a forked process and leave it when a peer has gone.
[[noreturn]] void RunFollower(int listener, int file, size_t size) {
  const int leader = accept(listener, nullptr, nullptr);
  SetNoDelay(leader);
  BlockFile blocks(file);
  std::string block(size, '\0');
  while (ReadFully(leader, block.data(), size) && blocks.Append(block)) {
    if (!WriteFully(leader, "k", 1)) break;
  }
  _exit(0);
}

[[noreturn]] void RunLeader(int listener, const std::array<sockaddr_in, kReplicas>& addresses,
                            int file, size_t size) {
  std::array<pollfd, 2> followers;
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<int> fd = Connect(addresses[static_cast<size_t>(i) + 1]);
    if (!fd.ok()) _exit(1);
    followers[static_cast<size_t>(i)] = {.fd = *fd, .events = POLLIN, .revents = 0};
  }
  const int client = accept(listener, nullptr, nullptr);
  SetNoDelay(client);
  BlockFile blocks(file);
  std::string block(size, '\0');
  std::array<uint64_t, 2> acks = {0, 0};
  for (uint64_t sequence = 1; ReadFully(client, block.data(), size); ++sequence) {
    for (const pollfd& follower : followers) {
      if (!WriteFully(follower.fd, block.data(), size)) _exit(1);
    }
    if (!blocks.Append(block)) _exit(1);
    while (std::max(acks[0], acks[1]) < sequence) {
      if (poll(followers.data(), followers.size(), -1) < 0 && errno != EINTR) _exit(1);
      for (size_t i = 0; i < followers.size(); ++i) {
        char answers[64];
        if ((followers[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
        const ssize_t n = read(followers[i].fd, answers, sizeof(answers));
        if (n <= 0) _exit(1);
        acks[i] += static_cast<uint64_t>(n);
      }
    }
    if (!WriteFully(client, "k", 1)) break;
  }
  _exit(0);
}

// What the parent holds; everything is closed, ended and removed with it.
struct Floor {
  std::array<int, kReplicas> listeners = {-1, -1, -1};
  std::array<int, kReplicas> files = {-1, -1, -1};
  std::array<sockaddr_in, kReplicas> addresses = {};
  std::vector<std::string> paths;
  std::vector<pid_t> children;

  ~Floor() {
    for (const pid_t child : children) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
    for (const int fd : listeners) {
      if (fd >= 0) close(fd);
    }
    for (const int fd : files) {
      if (fd >= 0) close(fd);
    }
    for (const std::string& path : paths) unlink(path.c_str());
  }
};

absl::Status StartReplicas(const FloorOptions& options, Floor* floor) {
  for (size_t i = 0; i < kReplicas; ++i) {
    floor->paths.push_back(absl::StrCat(options.directory, "/floor-", getpid(), "-", i, ".data"));
    TOTORA_ASSIGN_OR_RETURN(floor->files[i], PrepareFile(floor->paths.back()));
    TOTORA_ASSIGN_OR_RETURN(floor->listeners[i], Listen(&floor->addresses[i]));
  }
  const pid_t parent = getpid();
  for (size_t i = kReplicas; i > 0; --i) {  // The leader last: it connects to the others.
    const pid_t child = fork();
    if (child < 0) return ErrnoStatus(errno, "fork");
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      if (i - 1 == 0) RunLeader(floor->listeners[0], floor->addresses, floor->files[0], options.size);
      RunFollower(floor->listeners[i - 1], floor->files[i - 1], options.size);
    }
    floor->children.push_back(child);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Report> BenchFloor(const FloorOptions& options) {
  if (options.size == 0 || options.size > kFileBytes) {
    return absl::InvalidArgumentError("size must be between 1 and 64 MiB");
  }
  Floor floor;
  TOTORA_RETURN_IF_ERROR(StartReplicas(options, &floor));
  TOTORA_ASSIGN_OR_RETURN(const int leader, Connect(floor.addresses[0]));

  const std::string block(options.size, 'x');
  const Clock& clock = *Clock::System();
  const absl::Duration began = clock.SteadyNow();
  absl::Duration next_progress = began + absl::Seconds(1);
  absl::Duration now = began;
  Report report;
  report.name = "floor";
  const CpuMeter meter({{"client", getpid()},
                        {"follower-2", floor.children[0]},
                        {"follower-1", floor.children[1]},
                        {"leader", floor.children[2]}});
  absl::Status status;
  while (now - began < options.duration &&
         (options.messages_max == 0 || report.messages < options.messages_max)) {
    char answer;
    if (!WriteFully(leader, block.data(), block.size()) || !ReadFully(leader, &answer, 1)) {
      status = absl::InternalError(absl::StrCat("a write failed in ", options.directory));
      break;
    }
    const absl::Duration done = clock.SteadyNow();
    report.latency.Record(static_cast<uint64_t>(absl::ToInt64Nanoseconds(done - now)));
    ++report.messages;
    now = done;
    if (options.progress && now >= next_progress) {
      options.progress(now - began, report.messages);
      next_progress = now + absl::Seconds(1);
    }
  }
  report.elapsed = now - began;
  report.cpu = meter.Read();
  close(leader);
  if (!status.ok()) return status;
  return report;
}

}  // namespace totora::bench
