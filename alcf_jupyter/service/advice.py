"""What to do about each kind of error, for the page of errors and for people who ask."""

from __future__ import annotations

from alcf_jupyter import errors

NEXT: dict[type[BaseException], str] = {
    errors.AlcfError: "Read its last line, which is what to type next.",
    errors.UsageError: "Nothing was sent. Put right what the message names and run the cell again.",
    errors.ModelNotChosenError: (
        "Paste one of the lines that the message lists, such as `%alcf use MODEL`, or name a "
        "model with `-m`."
    ),
    errors.UnknownModelError: (
        "Take the name that the message suggests, or one from `%alcf models`. Models have other "
        "names on other clusters, and a model that your groups do not open is not listed for you: "
        "`%alcf help contacts` says whom to ask."
    ),
    errors.UnknownClusterError: "Take a cluster from `%alcf models`.",
    errors.TemplateError: (
        "Define the name, mend the expression, or leave the braces alone with `--no-vars`."
    ),
    errors.TooLargeError: (
        "Shorten the text, or send fewer at once. The service takes 2,621,440 bytes in a request, "
        "also where its guide says 10 MB."
    ),
    errors.ReplayError: (
        'Record the answers again: `alcf.replay("record", PATH)`, run the notebook, then '
        '`alcf.replay("only", PATH)`. To ask the service itself: `alcf.replay("off")`, where '
        "`ALCF_JUPYTER_REPLAY` is set behind `%env ALCF_JUPYTER_REPLAY=`."
    ),
    errors.JournalError: (
        "Do what the message says. Nothing is lost: a record is never overwritten, and "
        "`fresh=True` sets it aside and begins another."
    ),
    errors.JournalHeldError: (
        "Stop the run in the kernel that the message names, or shut that kernel down; then run the "
        'cell again. To run it beside: `checkpoint="another-folder"`.'
    ),
    errors.NotWrittenError: (
        "Make room (`df -h`), then run the cell again. Before that, "
        '`import sys; sys.last_value.save("/folder/with/room")` writes the whole record '
        'elsewhere; `checkpoint="/folder/with/room"` goes on from it.'
    ),
    errors.NoConnectionError: "Look at the address and the proxy: `%alcf status`.",
    errors.UnreachableError: (
        "On an ALCF compute node set the proxy: "
        "`%env https_proxy=http://proxy.alcf.anl.gov:3128`. To work meanwhile: "
        "`%alcf connect sandbox`."
    ),
    errors.NotTheServiceError: (
        "A proxy, a portal's sign-in page or a wrong address answered. Open the address in a "
        "browser, and look at `%alcf status`."
    ),
    errors.DeadlineError: (
        "Give it longer with `--timeout 1h`, or take a model that is Live: `%alcf models`. A model "
        "that is Offline on Sophia takes 10 to 15 minutes to start."
    ),
    errors.SignInError: "See who you are to the service: `%alcf whoami`.",
    errors.NotSignedInError: "Sign in: `%alcf login`.",
    errors.CodeRefusedError: (
        "Copy the code again, whole, from the page that the newest link leads to; or start over "
        "with `%alcf login`."
    ),
    errors.IdentityChangedError: (
        "Sign in as the identity whose tokens are stored, or sign out first, of all that ALCF's "
        "tools keep there: `%alcf logout --all`, then `%alcf login --force`."
    ),
    errors.TokenStoreError: "Do what the message says about the file, then `%alcf login`.",
    errors.TokenRefusedError: (
        "`%alcf login --force`. A token from `ALCF_AI_TOKEN` or `connect(token=…)` has to be "
        "replaced there."
    ),
    errors.LoginRequiredError: (
        "Log out at https://app.globus.org/logout, then `%alcf login --force`. ALCF's policy wants "
        "a new sign-in every 30 days; a token that is refreshed does not count as one."
    ),
    errors.RestrictedError: (
        "Signing in again does not help. Take another model from `%alcf models`, or ask for "
        "access: `%alcf help contacts`."
    ),
    errors.IdentityCheckError: (
        "Wait a minute and run the cell again; the service remembers a failed check for that long."
    ),
    errors.ServiceError: "Run the cell again; if it goes on: `%alcf status`.",
    errors.RefusedError: (
        "Change what the message names; the same request fails again. It may be a parameter that "
        "the service does not take, or a prompt longer than the model's context."
    ),
    errors.RateLimitError: (
        "For tokens a minute wait up to a minute; for requests a second run the cell again. For "
        "more than that: `%alcf help contacts`."
    ),
    errors.NotLiveError: (
        "Leave out `--no-wait` to wait for it, start it with `%alcf wait MODEL`, or take one that "
        "is Live: `%alcf models`. Models on Metis and Minerva cannot be started by a request."
    ),
    errors.MaintenanceError: (
        "Take another cluster with `-c`, or look again later: `%alcf status`."
    ),
    errors.ServiceTimeoutError: (
        "The service waits 300 seconds. Ask for less with `-n`, or wait until the model is Live: "
        "`%alcf wait MODEL`."
    ),
    errors.ServerFailureError: (
        "Run the cell again. If it goes on, quote the error id of the message to ALCF: "
        "`%alcf help contacts`."
    ),
    errors.AnswerError: (
        "Run the cell again. What had come is kept, marked incomplete, in the error's `reply`."
    ),
    errors.StreamFailedError: (
        "As for the error that it names; the same failure outside a stream is its `failure`."
    ),
    errors.IncompleteError: (
        "Run the cell again, with `--no-stream` if it happens twice: a whole answer says whether "
        "it is whole."
    ),
    errors.InvalidAnswerError: (
        "Look at what came, in the error's `reply.text`. Ask for less at once, say in the prompt "
        "what each field means, or take a larger model."
    ),
    errors.MixedUpError: (
        "Run it again; if it goes on, take another model, or fewer texts at once with "
        "`per_request=`. Nothing of such an answer is taken."
    ),
    errors.Interrupted: "Run the cell again.",
    errors.AnswerInterrupted: "Run the cell again. What had come is in the error's `reply`.",
}
"""The next step for each error, in Markdown."""

GUIDE: dict[str, tuple[type[BaseException], str]] = {
    "Connection Timeout": (
        errors.ServiceTimeoutError,
        (
            "The model is queued or loads, and the service gave up waiting. Here a cell waits for "
            "it and shows its state; `%alcf models` is what the guide calls looking at `/jobs`."
        ),
    ),
    "Permission Denied": (
        errors.LoginRequiredError,
        (
            "The sign-in is older than the policy allows. Log out at "
            "https://app.globus.org/logout and sign in with `%alcf login --force`."
        ),
    ),
    "Batch Permission Error": (
        errors.RefusedError,
        (
            "The service cannot read the input file or write to the folder of a batch. Put both "
            "under `/eagle/argonne_tpc`, or into a folder that everybody may read (and, for "
            "results, write)."
        ),
    ),
    "IdentityMismatchError": (
        errors.IdentityChangedError,
        (
            "You signed in with another Globus identity than before. In place of deleting the "
            "tokens file by hand: `%alcf logout --all`, then `%alcf login --force`."
        ),
    ),
}
"""The troubleshooting entries of ALCF's user guide: the error here, and what to do."""
