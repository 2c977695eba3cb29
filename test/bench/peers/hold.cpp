// The hold model in SystemC: each pending event is an SC_METHOD that triggers itself again after a
// pseudo-random delay. Argument: pending. For each number of seconds read, it runs that long and
// prints {"events", "seconds"}.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <systemc>
#include <vector>

using namespace sc_core;

static const unsigned DRAWS = 4096;
static std::vector<sc_time> delays;
static unsigned draw = 0;
static uint64_t events = 0;

struct Holder : sc_module {
  SC_HAS_PROCESS(Holder);

  explicit Holder(sc_module_name name) : sc_module(name) { SC_METHOD(hold); }

  void hold() {
    events++;
    next_trigger(delays[draw++ & (DRAWS - 1)]);
  }
};

/** CPU seconds of this process. */
static double now() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

int sc_main(int argc, char **argv) {
  if (argc != 2) return 2;
  const unsigned pending = std::atoi(argv[1]);
  sc_set_time_resolution(1, SC_PS);
  uint32_t x = 12345;
  for (unsigned i = 0; i < DRAWS; i++) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    delays.push_back(sc_time::from_value(1 + x % 10000));
  }
  std::vector<std::unique_ptr<Holder>> holders;
  for (unsigned i = 0; i < pending; i++) {
    holders.push_back(std::make_unique<Holder>(sc_gen_unique_name("holder")));
  }
  // About 50,000 events at a time: the mean delay is 5,000 ps.
  const sc_time slice = sc_time::from_value(uint64_t(50000) * 5000 / pending + 1);
  while (events < 3 * uint64_t(pending)) sc_start(slice);
  double wanted;
  while (std::cin >> wanted) {
    const uint64_t before = events;
    const double start = now();
    double seconds = 0;
    while (seconds < wanted) {
      sc_start(slice);
      seconds = now() - start;
    }
    std::printf("{\"events\":%llu,\"seconds\":%.6f}\n", (unsigned long long)(events - before),
                seconds);
    std::fflush(stdout);
  }
  std::_Exit(0); // Taking a million modules apart would take longer than the measurement.
}
