-- The server's time.
--
-- KEYS[1] any key of the server that is asked
-- Reply: ms since the epoch
--
-- @include store/clock
return now_ms()
