// totora: the command line.
#include "cli/context.h"

int main(int argc, char** argv) { return totora::cli::RunCommandLine(argc, argv); }
