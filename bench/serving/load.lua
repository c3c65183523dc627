-- Requests that are made before the first is sent, in turn; figures as one line of JSON. BENCH_BODIES: a body a line.
local made = {}
local at = 0

function init()
  local headers = { ["content-type"] = "application/json" }
  for line in io.lines(os.getenv("BENCH_BODIES")) do
    made[#made + 1] = wrk.format("POST", os.getenv("BENCH_PATH"), headers, line)
  end
end

function request()
  at = at % #made + 1
  return made[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "errors": %d, "p50": %.3f, "p99": %.3f, "greatest": %.3f}\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000
  ))
end
