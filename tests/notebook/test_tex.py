"""Which TeX may be typeset."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcf_jupyter.notebook.rendering.tex import DEEPEST, LONGEST, typesettable


@pytest.mark.parametrize(
    "tex",
    [
        "E = mc^2",
        r"\frac{\partial u}{\partial t} = \alpha \nabla^2 u",
        r"\begin{pmatrix} a & b \\[2pt] c & d \end{pmatrix}",
        r"\left\{ x \in \mathbb{R} \,\middle|\, x > 0 \right\}",
        r"\operatorname*{arg\,max}_\theta \log p(x \mid \theta)",
        r"\text{rate} = 5\,\mathrm{s}^{-1}",
        r"\ce{2H2 + O2 -> 2H2O}",
        r"\langle \psi | \hat{H} | \psi \rangle",
        r"50\% \& \#1 \_ \$",
        r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}",
    ],
)
def test_what_scientists_write_is_typeset(tex):
    assert typesettable(tex) == tex


@pytest.mark.parametrize(
    "tex",
    [
        r"\href{javascript:x}{y}",
        r"\url{x}",
        r"\require{html}",
        r"\class{a}{b}",
        r"\cssId{a}{b}",
        r"\style{color:red}{b}",
        r"\unicode{x202e}",
        r"\includegraphics{x}",
        r"\def\x{\x}\x",
        r"\newcommand{\x}{y}",
        r"\let\x\href",
        r"\mmlToken{mi}[href='x']{y}",
        r"\bbox[red]{x}",
        r"\color{red}{x}",
        r"\hspace{9999em}",
        r"\rule{99em}{99em}",
        r"\begin{html}x\end{html}",
        r"\begin %" + "\n{equation}x",
        r"a \) b",
        r"a \] b",
        "a \\",
        r"a \\[-99pt] b",
        r"a \\[999pt] b",
        "}{",
        "{",
        "  ",
        "{" * (DEEPEST + 1) + "}" * (DEEPEST + 1),
        "x" * (LONGEST + 1),
        r"\hr\label{x}ef{javascript:x}{y}",
        r"\tag{\href{x}{y}}",
    ],
)
def test_what_could_do_more_than_set_type_is_not(tex):
    assert typesettable(tex) is None


def test_labels_are_left_out_and_tags_become_text():
    assert typesettable(r"x \label{eq:1} \tag{1}") == r"x   \qquad(\text{1})"


@settings(deadline=None)  # a shared machine stalls
@given(st.text("\\{}abehrflt()[]$ tag label href begin", max_size=60))
def test_what_is_typeset_holds_no_delimiter_and_no_link(text):
    formula = typesettable(text)
    if formula is not None:
        assert "\\href" not in formula
        assert "\\label" not in formula
        assert "\\)" not in formula.replace("\\\\", "")
        assert formula.count("{") - formula.count("\\{") - formula.count("}") == -formula.count(
            "\\}"
        )
