-- The requests that bench/compare sends with wrk: one operation, on users chosen at random. Its settings are in the environment:
--   BENCH_OPERATION  get, filter, patch or post; before them create, which creates the users and ends when there are BENCH_NUMBER
--   BENCH_USERS      file with one user in each line: id, userName, and 1 or 0 for active, between tabs; `create` writes it, and `patch` writes it again
--   BENCH_READY      a path to request when there is nothing to create
--   BENCH_TEMPLATE   body of a new user, with %NAME% in the place of the userName
--   BENCH_TOKEN, BENCH_PATH (that of /Users), BENCH_RUN (seed, and part of new userNames), BENCH_RESULT (file for the figures)

local operation = os.getenv("BENCH_OPERATION")
local path = os.getenv("BENCH_PATH")
local run = os.getenv("BENCH_RUN")
local template = os.getenv("BENCH_TEMPLATE")
local headers = {
  ["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN"),
  ["Content-Type"] = "application/scim+json",
}
local number = tonumber(os.getenv("BENCH_NUMBER"))
local ids, names, sent = {}, {}, 0
local refusal = ""
-- These are global, so that `done` can read them from the thread.
active, made = {}, 0
local only_thread

function setup(thread)
  only_thread = thread
end

function init()
  if operation == "create" then
    return
  end
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

local is_called = false

local function create()
  -- wrk calls this once for a request that it does not send.
  if not is_called or sent == number then
    is_called = true
    return wrk.format("GET", os.getenv("BENCH_READY"), headers)
  end
  sent = sent + 1
  local body = template:gsub("%%NAME%%", string.format("user-%07d@example.com", sent))
  return wrk.format("POST", path, headers, body)
end

local function write(variable, text)
  local file = io.open(os.getenv(variable), "w")
  file:write(text)
  file:close()
end

local lines = {}

local function created(status, _, body)
  if status == 201 then
    made = made + 1
    lines[made] = body:match('"id"%s*:%s*"([^"]+)"') .. "\t" .. body:match('"userName"%s*:%s*"([^"]+)"') .. "\t1\n"
  elseif sent < number then
    refusal = status .. " " .. body
  end
  if made == number or refusal ~= "" then
    write("BENCH_USERS", table.concat(lines))
    write("BENCH_RESULT", made .. "\n" .. refusal)
    -- Otherwise wrk would go on for the rest of the time.
    os.exit(0)
  end
end

if operation == "create" then
  response = created
end

function request()
  if operation == "create" then
    return create()
  end
  return requests[operation](math.random(#ids))
end

function done(summary, latency)
  if operation == "create" then
    write("BENCH_RESULT", only_thread:get("made") .. "\n")
    return
  end
  local errors = summary.errors
  -- wrk counts in microseconds.
  write("BENCH_RESULT", string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "max_ms": %f, "refused": %d, "timeouts": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status, errors.timeout, errors.connect + errors.read + errors.write))
  if operation == "patch" then
    local now = only_thread:get("active")
    local all = {}
    for line in io.lines(os.getenv("BENCH_USERS")) do
      all[#all + 1] = line:sub(1, -2) .. (now[#all + 1] and "1" or "0") .. "\n"
    end
    write("BENCH_USERS", table.concat(all))
  end
end
