-- wrk: 16 requests a write (HTTP/1.1 pipelining). wrk counts each response.
local batch
init = function()
  local requests = {}
  for i = 1, 16 do requests[i] = wrk.format() end
  batch = table.concat(requests)
end
request = function() return batch end
