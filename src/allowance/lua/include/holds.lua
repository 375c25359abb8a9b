-- Recipients of messages that may be forwards are held from RCPT on until the message is there. Holds stand in a ring of
-- their own in the usage: they count for no limit, a killed worker's age out, and a lift drops them with the rest.
local HOLDS_WINDOW = 600000
local HOLDS_FIELD = 'h' .. HOLDS_WINDOW
-- So many recipients of a tenant may be held at once.
local MOST_HOLDS = 200
