std = "lua54"
max_line_length = 100
exclude_files = { "build/**", "types/**", "lua_modules/**" }
files["spec/**/*.lua"] = { std = "+busted" }
files[".busted"] = { std = "lua54" }
files["*.rockspec"] = { std = "rockspec" }
