-- The heap of deadlines.
local timers = require "smtp.loop.timers"

local function at(heap, time, task)
  task = task or {}
  task.deadline = time
  heap:arm(task)
  return task
end

describe("timers", function()
  it("give tasks in the order of their times", function()
    local heap, order = timers.new(), {}
    for _, time in ipairs { 5, 1, 4, 1.5, 3, 2, 9, 7, 8, 6 } do at(heap, time) end
    assert.is_nil(heap:due(0.5))
    assert.equal(1, heap:next())
    while true do
      local task = heap:due(100)
      if not task then break end
      order[#order + 1] = task.deadline
    end
    assert.same({ 1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9 }, order)
    assert.is_nil(heap:next())
  end)

  it("give only what is due", function()
    local heap = timers.new()
    local one, two = at(heap, 1), at(heap, 2)
    assert.equal(one, heap:due(1))
    assert.is_nil(heap:due(1.9))
    assert.equal(two, heap:due(2))
    assert.is_nil(heap:due(2))
  end)

  it("let a deadline move, both ways, and be forgotten", function()
    local heap = timers.new()
    local task = at(heap, 5)
    at(heap, 10, task)
    assert.is_nil(heap:due(5))
    assert.equal(10, heap:next())
    at(heap, 3, task)
    assert.equal(3, heap:next())
    assert.equal(task, heap:due(3))
    task.deadline = nil
    assert.is_nil(heap:due(100))
    at(heap, 200, task)
    task.deadline = nil
    assert.is_nil(heap:due(300))
    assert.is_nil(heap:next())
  end)

  it("never give a task that has ended", function()
    local heap = timers.new()
    local one, two = at(heap, 1), at(heap, 2)
    heap:drop(one)
    heap:drop({})
    assert.equal(two, heap:due(10))
    assert.is_nil(heap:due(10))
  end)

  it("do not grow with tasks that came and went", function()
    local heap = timers.new()
    local live = at(heap, 5000000)
    for i = 1, 10000 do heap:drop(at(heap, 1000000 + i)) end
    assert.is_true(heap.n < 200, heap.n)
    assert.equal(live, heap:due(6000000))
  end)

  it("do not grow with those that wait no more, and may wait again", function()
    local heap = timers.new()
    local live, again = at(heap, 5000000), {}
    for i = 1, 10000 do
      heap:leave(at(heap, 1000000 + i))
      heap:leave(at(heap, 1000000 + i, again))
    end
    heap:leave({})
    assert.is_true(heap.n < 200, heap.n)
    at(heap, 2000000, again)
    assert.equal(again, heap:due(2000000))
    assert.is_nil(heap:due(2000000))
    assert.equal(live, heap:due(6000000))
  end)

  it("do not grow with deadlines that moved ahead", function()
    local heap, live = timers.new(), {}
    for i = 1, 10000 do
      local task = at(heap, 1000000 + i)
      at(heap, 500000 + i, task)
      at(heap, 400000, task)
      heap:drop(task)
      at(heap, 400000 - i, live)
    end
    assert.is_true(heap.n < 200, heap.n)
    assert.equal(live, heap:due(6000000))
    assert.is_nil(heap:due(6000000))
    assert.equal(0, heap.dead)
  end)

  it("keep their order through thousands of random changes", function()
    local seed = 42
    local function random(n)
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed // 65536 % n
    end
    local heap, tasks, now = timers.new(), {}, 0
    for _ = 1, 5000 do
      local what = random(10)
      if what < 6 then
        local task = at(heap, now + random(1000))
        tasks[task] = true
      elseif what < 8 then
        local task = next(tasks)
        if task then at(heap, now + random(1000), task) end
      else
        now = now + random(100)
        local expected, due = 0, 0
        for task in pairs(tasks) do expected = expected + (task.deadline <= now and 1 or 0) end
        while true do
          local task = heap:due(now)
          if not task then break end
          assert.is_true(tasks[task] and task.deadline <= now)
          tasks[task] = nil
          task.deadline = nil
          due = due + 1
        end
        assert.equal(expected, due)
        assert.is_true((heap:next() or math.huge) > now)
      end
    end
  end)
end)
