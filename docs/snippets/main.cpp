// SPDX-License-Identifier: MIT
#include "snippets.hpp"

int main() {
  eddy::run(tutorial_program());
  eddy::run(cancellation_program());
  eddy::run(from_asyncio_program());
  eddy::run(gcc12_program());
  eddy::run(generators_program());
  eddy::run(inspection_program());
  eddy::run(lifetimes_program());
  eddy::run(structured_program());
  eddy::run(processes_program());
  eddy::run(transports_program());
  eddy::run(subprocess_program());
  eddy::run(servers_program());
  eddy::run(sockets_program());
  eddy::run(tls_program());
  eddy::run(dns_program());
  backends_program();
  cores_program();
  testing_program();
}
