// SPDX-License-Identifier: MIT
// The subcommands of the program `eddy`. Each gets its own name as argv[0] and returns the exit status:
// 0 done, 1 failed, 2 called wrongly.
#pragma once

/// eddy crawl URL...
int crawl_command(int argc, char** argv);
/// eddy demo [--out DIR]
int demo_command(int argc, char** argv);
/// eddy doctor
int doctor_command(int argc, char** argv);
/// eddy metrics [PID]
int metrics_command(int argc, char** argv);
/// eddy ps [PID]
int ps_command(int argc, char** argv);
/// eddy pstree [PID]
int pstree_command(int argc, char** argv);
/// eddy select 'CSS' [FILE]
int select_command(int argc, char** argv);
/// eddy serve DIR [--port N]
int serve_command(int argc, char** argv);
