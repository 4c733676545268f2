#include "broker/broker.h"
#include "common/daemon.h"

// Read by jemalloc: few arenas and quick return of freed pages, since a broker
// has few threads and its memory is what its operator counts.
extern "C" {
const char* malloc_conf = "narenas:2,dirty_decay_ms:2000,muzzy_decay_ms:0";
}

int main(int argc, char** argv) {
  totora::DaemonProgram program;
  program.name = "totora-broker";
  program.summary = "a replica of a group: takes, keeps and delivers messages";
  program.rows = totora::broker::SettingRows();
  program.ignored = totora::broker::IgnoredKeys();
  program.start = [](const totora::Configuration& configuration)
      -> absl::StatusOr<std::unique_ptr<totora::Daemon>> {
    absl::StatusOr<totora::broker::Settings> settings =
        totora::broker::ReadSettings(configuration);
    if (!settings.ok()) return settings.status();
    return totora::broker::Broker::Start(*settings);
  };
  return totora::RunDaemon(program, argc, argv);
}
