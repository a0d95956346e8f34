# Freezes what R's factanal says of factor analyses into a JSON file, which the Python tests read.
#
#   cd tests/oracles && Rscript factanal.R
#
# needs R, and Python with scikit-learn for the breast cancer data. For each of the `cases`: the
# `covariance` (d, d) of `n` rows, `q` factors; `uniquenesses` (d), which factanal keeps above 0.005;
# `criterion`, log det M - log det C + tr M^-1 C - d with M the model's correlations and C the observed;
# `statistic`, `dof` and `p_value` of the test of fit; `loadings` (d, q) of the correlations, and these
# after varimax, varimax with Kaiser's normalisation, and promax (which has it), with the latter's
# `correlations` of factors (q, q).

number <- function(x) if (is.null(x) || is.na(x)) "null" else sprintf("%.17g", x)
numbers <- function(x) paste0("[", paste(sapply(x, number), collapse = ", "), "]")
rows <- function(x) paste0("[", paste(apply(x, 1, numbers), collapse = ",\n"), "]")
object <- function(x) paste0("{", paste0('"', names(x), '": ', x, collapse = ",\n"), "}")
quoted <- function(x) paste0('"', x, '"')

# Factanal's own tolerance leaves about five digits.
# Where the line search finds no further step, that is an error of factanal's: then a little less.
tight <- function(f) {
  for (factr in 10^(1:7)) {
    fit <- try(f(list(opt = list(factr = factr, maxit = 10000), nstart = 3)), silent = TRUE)
    if (!inherits(fit, "try-error")) return(fit)
  }
  stop("factanal found no solution")
}

# promax() with a varimax() that converges; it takes Kaiser's normalisation for granted.
turn <- function(x, normalize = TRUE) varimax(x, normalize = normalize, eps = 1e-15)
oblique <- promax
environment(oblique) <- list2env(list(varimax = turn), parent = asNamespace("stats"))

case <- function(name, covariance, n, q) {
  covariance <- signif((covariance + t(covariance)) / 2, 8)  # the same doubles on both sides
  fit <- tight(function(control) {
    factanal(covmat = covariance, n.obs = n, factors = q, rotation = "none", control = control)
  })
  x <- unclass(fit$loadings)
  turned <- c(varimax = "null", varimax_kaiser = "null", promax = "null", correlations = "null")
  if (q > 1) {
    p <- oblique(x)
    turned <- c(
      varimax = rows(unclass(turn(x, FALSE)$loadings)),
      varimax_kaiser = rows(unclass(turn(x)$loadings)),
      promax = rows(unclass(p$loadings)), correlations = rows(solve(crossprod(p$rotmat)))
    )
  }
  object(c(
    name = quoted(name), n = number(n), q = number(q), covariance = rows(covariance),
    uniquenesses = numbers(fit$uniquenesses), criterion = number(fit$criteria[["objective"]]),
    statistic = number(fit$STATISTIC), dof = number(fit$dof), p_value = number(fit$PVAL),
    loadings = rows(x), turned
  ))
}

# Ordered answers on a scale of six, of five traits and fifteen items.
set.seed(3)
n <- 400
traits <- matrix(rnorm(5 * n), n) %*% chol(0.75 * diag(5) + 0.25)
own <- matrix(rnorm(15 * n, sd = rep(seq(0.5, 1.2, length = 15), each = n)), n)
items <- traits[, rep(1:5, each = 3)] * 0.8 + own
answers <- apply(items, 2, function(x) findInterval(x, c(-1.5, -0.8, 0, 0.8, 1.5)) + 1)

python <- paste(
  "python -c \"import sys; from sklearn.datasets import load_breast_cancer as f;",
  "f(as_frame=True).data.to_csv(sys.stdout, index=False)\""
)
cancer <- as.matrix(read.csv(pipe(python)))

cases <- c(
  case("ability, 1 factor", ability.cov$cov, ability.cov$n.obs, 1),
  case("ability, 2 factors", ability.cov$cov, ability.cov$n.obs, 2),
  case("24 tests, 4 factors", Harman74.cor$cov, Harman74.cor$n.obs, 4),
  case("answers, 5 factors", cov(answers), n, 5),
  case("answers, 3 factors", cov(answers), n, 3),
  case("breast cancer, 1 factor", cor(cancer), nrow(cancer), 1),
  case("breast cancer, 2 factors", cor(cancer), nrow(cancer), 2),
  case("breast cancer, 5 factors", cor(cancer), nrow(cancer), 5)
)
writeLines(
  object(c(
    made_by = quoted(paste(R.version.string, "stats::factanal")),
    command = quoted("cd tests/oracles && Rscript factanal.R"),
    cases = paste0("[", paste(cases, collapse = ",\n"), "]")
  )),
  "factanal.json"
)
