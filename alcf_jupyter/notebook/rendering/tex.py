r"""Which TeX out of a model's answer may be typeset.

JupyterLab loads every package of MathJax, and among them are links (``\href``), styles, ids,
macros that never end and attributes of any kind (``\mmlToken``). So the commands that are
typeset are listed here, and TeX that uses any other is shown as it was written.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 4000
"""Characters of the longest formula that is typeset; MathJax's own buffer holds 5 kB."""
DEEPEST: Final = 24
"""How deep braces may be nested."""

_COMMAND_NAMES: Final = """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa varkappa lambda mu
    nu xi omicron pi varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega digamma
    Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega varGamma varDelta varTheta varLambda
    varXi varPi varSigma varUpsilon varPhi varPsi varOmega aleph beth gimel daleth
    hbar hslash imath jmath ell wp Re Im partial nabla infty eth mho Finv Game Bbbk complement
    emptyset varnothing forall exists nexists neg lnot top bot angle measuredangle sphericalangle
    triangle square Box blacksquare lozenge blacklozenge diamond Diamond bigstar star ast circ
    bullet prime backprime flat natural sharp clubsuit diamondsuit heartsuit spadesuit surd degree
    dagger ddagger checkmark circledR maltese S yen

    sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth exp ln log lg det dim ker hom
    deg arg gcd max min sup inf lim limsup liminf varlimsup varliminf injlim projlim Pr
    operatorname mathop mathbin mathrel mathord mathopen mathclose mathpunct mathinner
    bmod pmod mod pod

    sum prod coprod int iint iiint iiiint oint intop bigcup bigcap bigsqcup bigvee bigwedge
    bigoplus bigotimes bigodot biguplus limits nolimits substack sideset
    frac dfrac tfrac cfrac binom dbinom tbinom choose over atop sqrt root of
    left right middle big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm biggm
    Biggm langle rangle lfloor rfloor lceil rceil lvert rvert lVert rVert vert Vert lbrace rbrace
    lbrack rbrack lgroup rgroup lmoustache rmoustache ulcorner urcorner llcorner lrcorner backslash
    bra ket braket Bra Ket Braket

    hat widehat check tilde widetilde acute grave dot ddot dddot ddddot breve bar vec
    mathring overline underline overbrace underbrace overbracket underbracket overparen underparen
    overset underset stackrel stackbin overrightarrow overleftarrow overleftrightarrow
    underrightarrow underleftarrow underleftrightarrow xrightarrow xleftarrow xleftrightarrow
    xRightarrow xLeftarrow xLeftrightarrow xmapsto boxed cancel bcancel xcancel not
    mathbf mathrm mathit mathsf mathtt mathcal mathscr mathfrak mathbb boldsymbol
    pmb symbf symrm symit bf rm it sf tt cal scr frak text textbf textit textrm textsf texttt
    textnormal textup mbox hbox displaystyle textstyle scriptstyle scriptscriptstyle

    pm mp times div cdot cap cup uplus sqcap sqcup vee wedge land lor setminus smallsetminus wr
    amalg oplus ominus otimes oslash odot bigcirc bigtriangleup bigtriangledown triangleleft
    triangleright lhd rhd unlhd unrhd ltimes rtimes leftthreetimes rightthreetimes curlywedge
    curlyvee circledast circledcirc circleddash boxplus boxminus boxtimes boxdot centerdot intercal
    barwedge veebar doublebarwedge divideontimes dotplus
    le leq ge geq ne neq equiv sim simeq approx approxeq cong ncong doteq propto varpropto ll gg
    lll ggg leqq geqq leqslant geqslant lneq gneq lneqq gneqq nless ngtr nleq ngeq lesssim gtrsim
    lessapprox gtrapprox lessgtr gtrless prec succ preceq succeq preccurlyeq succcurlyeq precsim
    succsim nprec nsucc subset supset subseteq supseteq subsetneq supsetneq nsubseteq nsupseteq
    subseteqq supseteqq sqsubset sqsupset sqsubseteq sqsupseteq in notin ni owns mid nmid shortmid
    parallel nparallel perp asymp bowtie Join smile frown models vdash nvdash dashv vDash nvDash
    Vdash Vvdash between pitchfork therefore because triangleq circeq bumpeq Bumpeq eqcirc eqsim
    coloneqq Coloneqq eqqcolon coloneq colon backsim backsimeq trianglelefteq trianglerighteq
    gets to leftarrow rightarrow leftrightarrow Leftarrow Rightarrow Leftrightarrow longleftarrow
    longrightarrow longleftrightarrow Longleftarrow Longrightarrow Longleftrightarrow mapsto
    longmapsto hookleftarrow hookrightarrow uparrow downarrow updownarrow Uparrow Downarrow
    Updownarrow nearrow searrow swarrow nwarrow leftharpoonup leftharpoondown rightharpoonup
    rightharpoondown rightleftharpoons leftrightharpoons upharpoonleft upharpoonright implies
    impliedby iff nleftarrow nrightarrow nleftrightarrow nLeftarrow nRightarrow nLeftrightarrow
    leadsto rightsquigarrow curvearrowleft curvearrowright circlearrowleft circlearrowright
    twoheadleftarrow twoheadrightarrow leftleftarrows rightrightarrows leftrightarrows
    rightleftarrows upuparrows downdownarrows dashleftarrow dashrightarrow multimap
    dots ldots cdots vdots ddots dotsb dotsc dotsi dotsm dotso

    quad qquad enspace thinspace negthinspace nobreakspace space hfill
    begin end hline cr nonumber notag phantom hphantom vphantom mathstrut strut
    ce pu
"""
_ENVIRONMENT_NAMES: Final = """
    equation equation* align align* aligned alignat alignat* alignedat gather gather* gathered
    multline multline* flalign flalign* eqnarray eqnarray* split array matrix pmatrix bmatrix
    Bmatrix vmatrix Vmatrix smallmatrix cases dcases rcases subarray
"""
_COMMANDS: Final = frozenset(_COMMAND_NAMES.split())
_ENVIRONMENTS: Final = frozenset(_ENVIRONMENT_NAMES.split())
_COMMAND: Final = re.compile(r"\\([A-Za-z]+\*?|.|$)", re.DOTALL)
_ENVIRONMENT: Final = re.compile(r"\\(?:begin|end)(?![A-Za-z])(?:\s*\{([A-Za-z]+\*?)\})?")
_SYMBOLS: Final = frozenset("\\{}|,;:!>%&#_$ \n/'\"`^~=.")
# A gap of a thousand lines, or a negative one, would cover what stands around the formula.
_ROW_GAP: Final = re.compile(r"\\\\\s*\[(?!\s*\d{1,2}(?:\.\d+)?\s*(?:pt|em|ex|mm)\s*\])")
_TAG: Final = re.compile(r"\\tag\s*\*?\s*\{([^{}\\]{0,40})\}")
_LABEL: Final = re.compile(r"\\label\s*\{[^{}\\]*\}")
_BRACE: Final = re.compile(r"\\.|[{}]", re.DOTALL)


def typesettable(tex: str) -> str | None:
    r"""Say whether a formula may be typeset.

    Parameters
    ----------
    tex
        What stood between the delimiters.

    Returns
    -------
    str or None
        The formula to typeset, without labels and with tags as plain text (both would give ids of
        a model's choosing to the page); None when it is to be shown as it was written.
    """
    if len(tex) > LONGEST:
        return None
    # A blank in the label's place: without it "\hr\label{x}ef" would become a link.
    tex = _TAG.sub(r"\\qquad(\\text{\1})", _LABEL.sub(" ", tex)).strip()
    known = all(m[1].rstrip("*") in _COMMANDS or m[1] in _SYMBOLS for m in _COMMAND.finditer(tex))
    if not tex or not known or not _balanced(tex) or _ROW_GAP.search(tex):
        return None
    environments = {m[1] for m in _ENVIRONMENT.finditer(tex)}
    return tex if environments <= _ENVIRONMENTS else None


def _balanced(tex: str) -> bool:
    """Braces close in order and not too deep: MathJax looks for the end of a formula by them."""
    depth = 0
    for match in _BRACE.finditer(tex):
        depth += (match[0] == "{") - (match[0] == "}")
        if not 0 <= depth <= DEEPEST:
            return False
    return depth == 0
