# Freezes what flexmix says of Poisson mixtures into a JSON file, which the Python tests read.
#
#   cd tests/oracles && Rscript flexmix_counts.R
#
# needs R with flexmix (Debian: r-cran-flexmix). README.md says what is in the file.

suppressPackageStartupMessages(library(flexmix))
iterations <- c(1, 2, 11, 41)
k <- 3

# 17 significant digits, so that the very same double is read back.
numbers <- function(x) paste0("[", paste(sprintf("%.17g", x), collapse = ", "), "]")
rows <- function(x) paste0("[", paste(apply(x, 1, numbers), collapse = ",\n"), "]")
object <- function(x) paste0("{", paste0('"', names(x), '": ', x, collapse = ",\n"), "}")

set.seed(1)
rates <- rbind(c(1, 6, 2, 0.3), c(2, 3, 9, 1.5), c(5, 1, 4, 0.1))
X <- matrix(rpois(800, rates[sample(k, 200, replace = TRUE), ]), 200, 4)
weight <- rep(0:3, 50)
start <- matrix(rgamma(600, 2), 200, k)
start <- start / rowSums(start)

# An iteration is an M-step, from the start's responsibilities in the first, then an E-step.
after <- function(n, weight) {
  fit <- flexmix(
    X ~ 1, k = k, model = FLXMCmvpois(), cluster = start, weights = weight,
    control = list(iter.max = n, minprior = 0, tolerance = 0)
  )
  run <- c(
    m_steps = n, weights = numbers(prior(fit)), rates = rows(t(parameters(fit))),
    loglik = sprintf("%.17g", as.numeric(logLik(fit)))
  )
  object(run)
}
runs <- function(weight) {
  paste0("[", paste(sapply(iterations, after, weight = weight), collapse = ",\n"), "]")
}

version <- function(x) paste0('"', x, '"')
meta <- object(c(
  made_by = version("flexmix_counts.R"), command = version("Rscript flexmix_counts.R"),
  r = version(paste(R.version$major, R.version$minor, sep = ".")),
  flexmix = version(as.character(packageVersion("flexmix")))
))
content <- c(
  meta = meta, X = rows(X), responsibilities = rows(start), runs = runs(NULL),
  sample_weight = numbers(weight), weighted_runs = runs(as.integer(weight))
)
writeLines(object(content), "flexmix_counts.json")
