-- Accepted domains in words, for the audit trail.
local MOST_NAMED = 10

local function domain_words(domain, flags)
  local words = domain
  if string.find(flags, 's', 1, true) then words = words .. ' with subdomains' end
  if string.find(flags, 'h', 1, true) then words = words .. ' shared' end
  return words
end

-- Counts a domain, and adds it to the list while that holds fewer than are shown.
local function name_domain(list, words)
  list.count = (list.count or 0) + 1
  if list.count <= MOST_NAMED then list[list.count] = words end
end

local function domains_text(list)
  local text = table.concat(list, ', ')
  if list.count <= MOST_NAMED then return text end
  return string.format('%s and %d more (%d)', text, list.count - MOST_NAMED, list.count)
end
