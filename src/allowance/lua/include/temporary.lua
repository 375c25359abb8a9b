-- Limits that apply in place of the usual ones until a time: `500/1h, 3000/1d until 2026-12-03T08:00:00Z`. Returns them while
-- they are in effect at `now`, in ms; else nothing.
local function temporary_at(text, now)
  local limits, year, month, day, hour, minute, second =
    string.match(text or '', '^(.+) until (%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)Z$')
  if not limits then return end
  -- Years begin in March here: then a leap day is the last of its year.
  if tonumber(month) < 3 then year, month = year - 1, month + 12 end
  local days = 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
  if now < (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 then return limits end
end
