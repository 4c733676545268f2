#include "common/daemon.h"
#include "namesrv/namesrv.h"

int main(int argc, char** argv) {
  totora::DaemonProgram program;
  program.name = "totora-namesrv";
  program.summary = "tells clients and brokers who leads";
  program.rows = totora::namesrv::SettingRows();
  program.ignored = totora::namesrv::IgnoredKeys();
  program.start = [](const totora::Configuration& configuration)
      -> absl::StatusOr<std::unique_ptr<totora::Daemon>> {
    return totora::namesrv::Namesrv::Start(configuration);
  };
  return totora::RunDaemon(program, argc, argv);
}
