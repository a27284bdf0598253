# The page that shows an authorization code.

code-title = Authorization code
code-yours = Your authorization code
code-text = Copy this code and paste it into the program that waits for it.
code-copy = Copy code
code-copied = Copied
code-secret = Keep it to yourself
code-secret-text = Give this code only to the program that you started yourself. Nobody who calls, writes or sends you a link has a reason to ask for it: whoever has the code can act in your name.
code-once = The code works once and only for a few minutes. You can close this page afterwards.
code-refused = You were not signed in
code-refused-title = The program gets no code
# $reason is what somebody wrote into the address.
code-refused-reason = The reason that came with the address: { $reason }
code-refused-no-reason = The request ended without a code.
code-error = Error code
code-refused-next = You can close this page. To try again, start from the program once more.
code-nothing = There is no code here
code-nothing-text = This page shows a code after you have signed in for a program. Start from that program: it opens the right address for you.
code-select = Selected: press Ctrl+C or ⌘C to copy
