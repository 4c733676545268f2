#include "cli/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/file.h"
#include "common/status.h"

namespace totora::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint16_t kLowest = 12000;
constexpr uint16_t kHighestAnywhere = 32767;
constexpr int kAttemptsMax = 2000;

// The highest port below the kernel's range for outgoing connections.
uint16_t HighestUsable() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  int low = 0;
  if (file >> low && low > kLowest + 1000 && low <= 65535) {
    return static_cast<uint16_t>(low - 1);
  }
  return kHighestAnywhere;
}

}  // namespace

PortPicker::PortPicker(std::set<uint16_t> taken) : taken_(std::move(taken)) {}

PortPicker::~PortPicker() {
  for (const int fd : held_) close(fd);
}

int PortPicker::Hold(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  // Neither SO_REUSEADDR nor SO_REUSEPORT: whoever else has the port makes this fail.
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(port);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

bool PortPicker::Take(uint16_t port) {
  const auto below = static_cast<uint16_t>(port - 2);
  if (taken_.count(port) > 0 || taken_.count(below) > 0) return false;
  const int held = Hold(port);
  if (held < 0) return false;
  const int held_below = Hold(below);
  if (held_below < 0) {
    close(held);
    return false;
  }
  held_.insert(held_.end(), {held, held_below});
  taken_.insert({port, below});
  return true;
}

absl::StatusOr<uint16_t> PortPicker::Pick(uint16_t wanted) {
  if (wanted != 0 && Take(wanted)) return wanted;
  std::random_device random;
  const uint16_t highest = HighestUsable();
  std::uniform_int_distribution<int> draw(kLowest, highest);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const auto port = static_cast<uint16_t>(draw(random));
    if (Take(port)) return port;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("no free port between ", kLowest, " and ", highest));
}

PortRegistry::PortRegistry(std::string folder) : folder_(std::move(folder)) {}

std::string PortRegistry::DefaultFolder() {
  const char* const given = std::getenv("TOTORA_PORT_REGISTRY");
  if (given != nullptr && *given != '\0') return given;
  return absl::StrCat("/tmp/totora-ports-", getuid());
}

std::string PortRegistry::FileOf(const std::string& cluster_dir) const {
  return absl::StrFormat("%s/%016x", folder_, std::hash<std::string>()(cluster_dir));
}

// File: the cluster's folder on the first line, then a port on each line.
std::set<uint16_t> PortRegistry::Taken() const {
  std::set<uint16_t> taken;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, ignored)) {
    std::ifstream file(entry.path());
    std::string cluster_dir;
    if (!std::getline(file, cluster_dir)) continue;
    if (!fs::exists(fs::path(cluster_dir) / "cluster.json", ignored)) {
      fs::remove(entry.path(), ignored);
      continue;
    }
    int port = 0;
    while (file >> port) taken.insert(static_cast<uint16_t>(port));
  }
  return taken;
}

absl::Status PortRegistry::Claim(const std::string& cluster_dir,
                                 const std::vector<uint16_t>& ports) {
  TOTORA_RETURN_IF_ERROR(FileSystem::Posix()->CreateDirectory(folder_));
  std::string text = absl::StrCat(cluster_dir, "\n");
  for (const uint16_t port : ports) absl::StrAppend(&text, port, "\n", port - 2, "\n");
  return Annotate(WriteFileAtomically(FileSystem::Posix(), FileOf(cluster_dir), text),
                  "registry of ports");
}

}  // namespace totora::cli
