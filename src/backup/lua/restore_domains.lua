-- Puts back accepted domains as they were packed, in place of those of the same name. Who owns them has been settled
-- before.
--
-- KEYS[1] tenant   KEYS[2] domains
-- ARGV[1] random part of a token   then for each: ARGV[n] domain, ARGV[n + 1] packed value
-- Reply: none
--
-- @include store/clock
-- @include records/change
-- @include registry/domain_news
local news = {}
for at = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  news[ARGV[at]] = string.match(ARGV[at + 1], '^%S+') or '-'
end
if redis.call('HEXISTS', KEYS[1], 'createdAt') == 1 then
  change_tenant(KEYS[1], 'domains', ARGV[1], domain_news(KEYS[1], news, (#ARGV - 1) / 2))
end
