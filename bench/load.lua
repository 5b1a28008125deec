-- What bench/compare has wrk send: one operation, on users chosen at random among those made. What it is told is in the environment:
--   BENCH_OPERATION  get, filter, patch or post
--   BENCH_USERS      file with a user a line: id, userName, and 1 or 0 for active, between tabs; `patch` writes it anew at the end
--   BENCH_TEMPLATE   body of a new user, with %NAME% where the userName goes
--   BENCH_TOKEN, BENCH_PATH (that of /Users), BENCH_RUN (seed, and part of new userNames), BENCH_RESULT (file for the figures)

local operation = os.getenv("BENCH_OPERATION")
local path = os.getenv("BENCH_PATH")
local run = os.getenv("BENCH_RUN")
local template = os.getenv("BENCH_TEMPLATE")
local headers = {
  ["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN"),
  ["Content-Type"] = "application/scim+json",
}
local ids, names, sent = {}, {}, 0
active = {} -- global, so that `done` gets it from the thread
local only_thread

function setup(thread)
  only_thread = thread
end

function init()
  math.randomseed(tonumber(run))
  for line in io.lines(os.getenv("BENCH_USERS")) do
    local id, name, is_active = line:match("([^\t]+)\t([^\t]+)\t([01])")
    ids[#ids + 1], names[#names + 1], active[#active + 1] = id, name, is_active == "1"
  end
end

local requests = {}

function requests.get(index)
  return wrk.format("GET", path .. "/" .. ids[index], headers)
end

function requests.filter(index)
  local name = names[index]:gsub("@", "%%40")
  return wrk.format("GET", path .. "?filter=userName%20eq%20%22" .. name .. "%22", headers)
end

-- Every request changes its user.
function requests.patch(index)
  active[index] = not active[index]
  local value = tostring(active[index])
  local body = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":' .. value .. "}]}"
  return wrk.format("PATCH", path .. "/" .. ids[index], headers, body)
end

function requests.post()
  sent = sent + 1
  local body = template:gsub("%%NAME%%", string.format("new-%s-%07d@example.com", run, sent))
  return wrk.format("POST", path, headers, body)
end

function request()
  return requests[operation](math.random(#ids))
end

function done(summary, latency)
  local errors = summary.errors
  local result = io.open(os.getenv("BENCH_RESULT"), "w")
  -- wrk counts in microseconds.
  result:write(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "max_ms": %f, "refused": %d, "timeouts": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status, errors.timeout, errors.connect + errors.read + errors.write))
  result:close()
  if operation == "patch" then
    local file = io.open(os.getenv("BENCH_USERS"), "r")
    local lines = {}
    local now = only_thread:get("active")
    for line in file:lines() do
      lines[#lines + 1] = line:sub(1, -2) .. (now[#lines + 1] and "1" or "0")
    end
    file:close()
    file = io.open(os.getenv("BENCH_USERS"), "w")
    file:write(table.concat(lines, "\n"), "\n")
    file:close()
  end
end
