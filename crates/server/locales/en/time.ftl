# Lengths of time and dates. $count is a number, $day, $month and $year are numbers too.

time-seconds = { $count ->
    [one] { $count } second
   *[other] { $count } seconds
}
time-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
time-hours = { $count ->
    [one] { $count } hour
   *[other] { $count } hours
}
time-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}
time-months = { $count ->
    [one] { $count } month
   *[other] { $count } months
}

time-date = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
} { $year }
# $clock is hours and minutes, “09:15”.
time-moment = { time-date }, { $clock } UTC
# A moment that stands alone, such as in a table.
time-alone = { $moment }
